"""A file that costs more than it may is refused with the limit's key, and the next one is read."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.fakes import WordEmbedder
from support.loader_samples import pdf
from support.misbehaving import Misbehaving
from support.places import ROOT, TESTS

from rag.chunkers.structure import StructureSettings
from rag.chunkers.whole import WholeSettings
from rag.errors import ConfigError
from rag.loaders import LoaderSettings
from rag.protocols import Chunker
from rag.types import Chunk, Document, Skipped
from rag.worker.cutter import Cutter
from rag.worker.cutting import Cut, Task
from rag.worker.messages import packed, unpacked


def settings(**budget: float) -> LoaderSettings:
    return LoaderSettings.model_validate({"budget": budget})


def cut(cutter: Cutter, text: str | bytes, name: str = "a.html") -> list[object]:
    """What a file comes to; one that is no plain text is cut elsewhere, however small."""
    data = text if isinstance(text, bytes) else text.encode()
    return list(cutter.cut(Task(Path(name), name, data)))


def reason(cutter: Cutter, text: str | bytes, name: str = "a.html") -> str:
    (only,) = cut(cutter, text, name)
    assert isinstance(only, Skipped), only
    return only.reason


def read(cutter: Cutter, text: str = "words") -> bool:
    (only,) = cut(cutter, text)
    return isinstance(only, Cut) and only.chunks[0].text == text


@pytest.fixture
def small() -> Iterator[Cutter]:
    """Half a second of processor time, and 256 MB."""
    cutter = Cutter(settings(seconds=0.5, memory_mb=256), Misbehaving())
    with cutter.at_work():
        yield cutter


def test_a_file_that_never_ends_is_given_up_and_the_next_one_is_read(small: Cutter) -> None:
    assert reason(small, "never end") == "takes longer than loader.budget.seconds, 0.5"
    assert read(small)


def test_a_file_that_eats_memory_is_given_up_and_the_next_one_is_read() -> None:
    cutter = Cutter(settings(seconds=20, memory_mb=256), Misbehaving())
    with cutter.at_work():
        assert reason(cutter, "eat") == "needs more memory than loader.budget.memory_mb, 256"
        assert read(cutter)


@pytest.mark.slow
@pytest.mark.parametrize(("act", "how"), [("fall", "SIGSEGV"), ("leave", "exit code 3")])
def test_a_file_that_fells_its_process_fells_nothing_else(small: Cutter, act: str, how: str) -> None:
    assert f"the process that read it ended by {how}" in reason(small, act)
    assert read(small)


def test_a_chunker_that_fails_costs_one_file_a_line(small: Cutter) -> None:
    assert reason(small, "fail") == "cannot be cut into passages: ValueError: no such passage"
    assert read(small)


def test_what_a_parser_prints_is_no_reply(small: Cutter) -> None:
    assert read(small, "flood")
    assert read(small)


@pytest.mark.slow
def test_a_file_that_waits_for_ever_is_given_up_too() -> None:
    cutter = Cutter(settings(seconds=0.5), Misbehaving())
    with cutter.at_work():
        assert reason(cutter, "sleep") == "takes longer than loader.budget.seconds, 0.5"


@pytest.mark.slow
def test_an_interrupt_from_the_keyboard_is_one_here_as_well(small: Cutter) -> None:
    with pytest.raises(KeyboardInterrupt):
        cut(small, "be interrupted")
    assert read(small)


@pytest.mark.slow
def test_a_question_that_was_given_up_does_not_answer_the_next_one(small: Cutter) -> None:
    assert read(small)
    worker = small._worker
    assert worker is not None
    answer = worker.ask(packed(Task(Path("a.html"), "a.html", b"first")))
    assert next(answer)
    assert read(small, "second")


# --- what comes of a file -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.txt", "a.html"])
@pytest.mark.parametrize(
    ("budget", "why"),
    [
        ({"passages": 2}, "3 passages or more, and loader.budget.passages is 2"),
        ({"characters": 20}, "characters, and loader.budget.characters is 20"),
    ],
)
def test_what_comes_of_a_file_is_bounded_here_and_elsewhere(
    name: str, budget: dict[str, float], why: str
) -> None:
    text = " ".join(f"word{n}" for n in range(60))
    chunker = StructureSettings(tokens=24).build(WordEmbedder())
    cutter = Cutter(settings(**budget), chunker)
    with cutter.at_work():
        assert why in reason(cutter, text, name)
        assert len(cut(cutter, "short", name)) == 1


def test_the_characters_of_all_documents_of_a_file_count_together() -> None:
    lines = b'{"text": "0123456789"}\n' * 3
    cutter = Cutter(settings(characters=25), Misbehaving())
    assert reason(cutter, lines, "a.jsonl") == "30 characters or more, and loader.budget.characters is 25"


def test_the_pages_of_a_file_are_counted_before_they_are_read() -> None:
    cutter = Cutter(settings(pages=2), Misbehaving())
    with cutter.at_work():
        assert reason(cutter, pdf("one", "two", "three"), "a.pdf") == "3 pages, and loader.budget.pages is 2"


def test_every_chunker_of_ours_can_be_sent() -> None:
    chunkers: list[Chunker] = [
        StructureSettings().build(WordEmbedder()),
        WholeSettings(kind="whole").build(WordEmbedder()),
    ]
    for chunker in chunkers:
        cutter = Cutter(LoaderSettings(), chunker)
        with cutter.at_work():
            (elsewhere,) = cut(cutter, b"<h1>Dome</h1><p>It opens at dusk.</p>")
            assert isinstance(elsewhere, Cut)
            assert list(elsewhere.chunks) == list(chunker.chunk(elsewhere.document))


def test_a_chunker_that_cannot_be_sent_is_a_config_error() -> None:
    class Own(Misbehaving):
        pass

    with pytest.raises(ConfigError, match="the chunker Own cannot be pickled"):
        cut(Cutter(LoaderSettings(), Own()), "words")


def test_of_what_the_other_process_says_only_values_are_made() -> None:
    document = Document("a", "text", "a.md", {"tags": ("x", "y")}, pages=(0,))
    chunk = Chunk("c", "a", "a.md", 0, "text", 0, 4, metadata=document.metadata)
    cut_ = Cut(document, "hash", (chunk,))
    assert unpacked(packed(cut_)) == cut_
    with pytest.raises(Exception, match=r"posix.system is no value of a file"):
        unpacked(b"cposix\nsystem\n(S'true'\ntR.")


# --- with the one who asks ------------------------------------------------------------------------

ASKS = """
import sys
from pathlib import Path
from rag.loaders import LoaderSettings
from rag.worker.cutter import Cutter
from rag.worker.cutting import Task
from support.misbehaving import Misbehaving
cutter = Cutter(LoaderSettings(), Misbehaving())
list(cutter.cut(Task(Path("a.html"), "a.html", b"words")))
print(cutter._worker._process.pid, flush=True)
list(cutter.cut(Task(Path("a.html"), "a.html", sys.argv[1].encode())))
"""


@pytest.mark.slow
@pytest.mark.parametrize("act", ["never end", "sleep"])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_where_the_one_who_asks_is_killed_the_other_process_ends(act: str, how: int) -> None:
    asking = subprocess.Popen(
        [sys.executable, "-c", ASKS, act],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{TESTS}"},
    )
    with asking:
        assert asking.stdout is not None
        worker = int(asking.stdout.readline())
        asking.send_signal(how)
        asking.wait()
    assert ends(worker)


def ends(process: int) -> bool:
    for _ in range(100):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.slow
def test_an_interrupt_ends_who_asks_and_who_reads() -> None:
    """As a terminal sends it: to all processes of the command."""
    asking = subprocess.Popen(
        [sys.executable, "-c", ASKS, "never end"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{TESTS}"},
        start_new_session=True,
    )
    with asking:
        assert asking.stdout is not None
        worker = int(asking.stdout.readline())
        time.sleep(0.5)
        os.killpg(asking.pid, signal.SIGINT)
        assert asking.wait(30) == -signal.SIGINT
    assert ends(worker)
