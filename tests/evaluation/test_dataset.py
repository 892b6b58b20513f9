"""Questions and judgements, from a folder in BEIR form or a file, and what they call a document."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.places import ROOT

from rag import ConfigError, InputError
from rag.evaluation.dataset import Dataset
from rag.evaluation.naming import naming

QUERIES: list[dict[str, Any]] = [
    {"_id": "1", "text": "Who?", "metadata": {"answers": ["Ada", "Ada Lovelace"], "is_impossible": False}},
    {"_id": "2", "text": "When?"},
    {"_id": "3", "text": "Why?", "metadata": {"answers": [], "is_impossible": True}},
    {"_id": "4", "text": "Of another split?"},
]
QRELS = "query-id\tcorpus-id\tscore\n1\td1\t2\n1\td2\t0\n2\td3\t1\n"


def beir(folder: Path, qrels: str = QRELS, corpus: bool = True) -> Path:
    (folder / "qrels").mkdir(parents=True)
    (folder / "queries.jsonl").write_text("".join(json.dumps(q) + "\n" for q in QUERIES))
    (folder / "qrels" / "test.tsv").write_text(qrels)
    if corpus:
        (folder / "corpus.jsonl").write_text('{"_id": "d1", "text": "Ada wrote it."}\n')
    return folder


def lines(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


# --- folders -------------------------------------------------------------------------------


def test_a_beir_folder_gives_the_questions_of_its_split_and_those_without_an_answer(tmp_path: Path) -> None:
    data = Dataset.load(beir(tmp_path / "small"))
    assert data.name == "small"
    assert [q.id for q in data.questions] == ["1", "2", "3"]
    assert [q.can_be_answered for q in data.questions] == [True, True, False]
    assert data.questions[0].relevant == {"d1": 2, "d2": 0}
    assert data.questions[0].references == ("Ada", "Ada Lovelace")
    assert data.judged == {"d1", "d3"}
    assert data.corpus == tmp_path / "small" / "corpus.jsonl"


def test_without_a_corpus_the_questions_are_about_the_users_own_documents(tmp_path: Path) -> None:
    assert Dataset.load(beir(tmp_path / "own", corpus=False)).corpus is None


def test_the_handbooks_questions_are_read_with_answers_and_kinds() -> None:
    data = Dataset.load(ROOT / "data" / "questions")
    assert len(data.questions) == 148
    assert len(data.labelled) == 118
    assert sum(q.can_be_answered is False for q in data.questions) == 30
    assert data.questions[0].kind == "procedure"
    assert data.questions[0].references
    assert data.synthetic == 0


def test_a_missing_split_names_those_that_are_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no split 'train'.*there are test"):
        Dataset.load(beir(tmp_path / "a"), "train")


def test_a_split_without_one_of_its_questions_is_refused(tmp_path: Path) -> None:
    folder = beir(tmp_path / "a", "query-id\tcorpus-id\tscore\n99\td1\t1\n")
    lines(folder / "queries.jsonl", QUERIES[0])
    with pytest.raises(InputError, match="judges none of the questions"):
        Dataset.load(folder)


@pytest.mark.parametrize("row", ["1 d1 1", "1\td1", "1\td1\tvery", "1\t0\td1\t1"])
def test_a_broken_judgement_is_named_by_its_line(tmp_path: Path, row: str) -> None:
    with pytest.raises(InputError, match="line 5"):
        Dataset.load(beir(tmp_path / "a", QRELS + row + "\n"))


def test_judgements_may_come_without_a_header_and_with_quotes_in_names(tmp_path: Path) -> None:
    data = Dataset.load(beir(tmp_path / "a", '1\tthe "d1"\t1\n'))
    assert data.questions[0].relevant == {'the "d1"': 1}


def test_a_folder_without_questions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"neither questions\.jsonl nor queries\.jsonl"):
        Dataset.load(tmp_path)


# --- files ---------------------------------------------------------------------------------


def test_a_file_names_the_documents_in_its_lines(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "mine.jsonl",
        {"_id": 1, "text": "Who?", "relevant": ["a.md"], "answer": "Ada", "synthetic": True},
        {"_id": 2, "question": "When?", "relevant": {"b.md": 2}},
        {"_id": 3, "text": "Why?", "answerable": False},
        {"_id": 4, "text": "Nobody knows?"},
    )
    data = Dataset.load(path)
    assert [dict(q.relevant) for q in data.questions] == [{"a.md": 1}, {"b.md": 2}, {}, {}]
    assert [q.can_be_answered for q in data.questions] == [True, True, False, None]
    assert (data.name, data.corpus, data.synthetic) == ("mine", None, 1)


def test_what_is_no_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="neither a folder"):
        Dataset.load(lines(tmp_path / "questions.txt"))
    with pytest.raises(ConfigError, match=r"the dataset .*gone\.jsonl cannot be read"):
        Dataset.load(tmp_path / "gone.jsonl")
    with pytest.raises(InputError, match="line 1: relevant"):
        Dataset.load(lines(tmp_path / "a.jsonl", {"_id": 1, "text": "Who?", "relevant": "a.md"}))


# --- parts ---------------------------------------------------------------------------------


def test_a_sample_is_the_same_for_a_seed_and_keeps_the_files_order() -> None:
    data = Dataset.load(ROOT / "data" / "questions")
    once, again, other = (data.sample(20, seed) for seed in (1, 1, 2))
    assert once == again
    assert once != other
    assert [q.id for q in once.questions] == sorted(q.id for q in once.questions)
    assert data.sample(None, 0) is data
    assert data.sample(1000, 0) is data


def test_a_split_shares_out_the_unanswerable_and_leaves_none_out_or_twice() -> None:
    data = Dataset.load(ROOT / "data" / "questions")
    first, second = data.split(3)
    ids = [q.id for q in (*first.questions, *second.questions)]
    assert sorted(ids) == [q.id for q in data.questions]
    for part in (first, second):
        assert sum(q.can_be_answered is False for q in part.questions) == 15
        assert len(part.labelled) == 59


# --- names ---------------------------------------------------------------------------------


def test_a_judged_document_is_found_wherever_the_collection_lies() -> None:
    named = naming(["data/handbook/a.md", "data/handbook/sub/b.md", "README.md"], ["a.md", "sub/b.md"])
    assert named.document("data/handbook/sub/b.md") == "sub/b.md"
    assert named.missing == ()


def test_the_records_of_a_file_are_named_by_their_ids() -> None:
    named = naming(["big/corpus.jsonl#d1", "big/corpus.jsonl#d/2"], ["d1", "d/2", "gone"])
    assert [named.document(f"big/corpus.jsonl#{id_}") for id_ in ("d1", "d/2")] == ["d1", "d/2"]
    assert named.missing == ("gone",)


def test_a_document_of_the_same_name_in_another_folder_is_another_one() -> None:
    """By the end of its path alone, the old limits would pass for the ones in force."""
    sources = ["docs/limits.md", "docs/old/limits.md", "docs/tea.md"]
    named = naming(sources, ["limits.md", "tea.md"])
    assert [named.document(source) for source in sources] == ["limits.md", "old/limits.md", "tea.md"]


def test_full_names_need_no_prefix() -> None:
    assert naming(["notes/a.md"], ["notes/a.md"]).document("notes/a.md") == "notes/a.md"


def test_judgements_about_other_documents_are_refused() -> None:
    with pytest.raises(InputError, match=r"none of the 2 documents.*'x\.md'"):
        naming(["a.md"], ["x.md", "y.md"])


@given(st.sets(st.from_regex(r"[a-c]{1,2}(/[a-c]{1,2}){0,2}", fullmatch=True), min_size=1, max_size=6))
def test_a_prefix_is_found_for_any_tree(names: set[str]) -> None:
    named = naming([f"some/where/{name}" for name in names], names)
    assert {named.document(f"some/where/{name}") for name in names} >= names - set(named.missing)
    assert not named.missing
