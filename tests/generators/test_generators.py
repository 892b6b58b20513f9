"""One contract over every generator: a reply from the passages given, whole or in pieces."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter
from support.builders import passage
from support.fakes import NothingStored, WordEmbedder
from support.servers.loopback import KEY
from support.servers.openai_server import OpenAIServer

from rag.generators import AnyGeneratorSettings
from rag.parts import Parts
from rag.protocols import Generator
from rag.types import Question, Reply

PASSAGES = [
    passage(0.9, "The larger dome is closed when the wind is above 16 metres a second.", "dome.txt", rank=1),
    passage(0.4, "Soup is served at seven in the evening.", "soup.txt", rank=2),
]
QUESTION = Question("At which wind is the larger dome closed?")


@pytest.fixture(params=["extractive", "openai"])
def generator(request: pytest.FixtureRequest, openai_server: OpenAIServer) -> Generator:
    settings: dict[str, Any] = {"kind": request.param}
    if request.param == "openai":
        settings |= {"base_url": openai_server.base_url, "api_key": KEY, "retries": 0}
    adapter: TypeAdapter[AnyGeneratorSettings] = TypeAdapter(AnyGeneratorSettings)
    return adapter.validate_python(settings).build(Parts(NothingStored(), WordEmbedder))


def test_it_has_a_name_and_the_reply_has_a_text(generator: Generator) -> None:
    assert generator.name
    assert generator.generate(QUESTION, PASSAGES).text.strip()


def test_a_stream_ends_with_the_reply_whose_text_it_gave(generator: Generator) -> None:
    *pieces, last = generator.stream(QUESTION, PASSAGES)
    assert isinstance(last, Reply)
    assert "".join(map(str, pieces)) == last.text
    assert last == generator.generate(QUESTION, PASSAGES)


def test_a_stream_can_be_left_early(generator: Generator) -> None:
    stream = generator.stream(QUESTION, PASSAGES)
    assert isinstance(next(stream), str)
    stream.close()  # type: ignore[attr-defined]  # the protocol promises an iterator, these are generators


def test_the_same_question_gets_the_same_words(generator: Generator) -> None:
    assert len({generator.generate(QUESTION, PASSAGES).text for _ in range(3)}) == 1


def test_a_single_passage_is_enough(generator: Generator) -> None:
    assert generator.generate(QUESTION, PASSAGES[:1]).text.strip()
