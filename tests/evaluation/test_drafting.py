"""`rag questions`: drafts that can be reviewed, and that every report calls synthetic."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.servers.loopback import KEY
from support.servers.openai_server import OpenAIServer, Say

from rag import ConfigError, InputError, Settings
from rag.evaluation.dataset import Dataset
from rag.evaluation.drafting import draft, summarise_drafts
from rag.evaluation.evaluate import evaluate
from rag.evaluation.scoring import Options
from rag.evaluation.summary import summarise
from rag.generators.openai import OpenAIGeneratorSettings
from rag.protocols import silent


def test_drafts_are_a_dataset_whose_answers_stand_in_the_documents(
    handbook_settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "drafts" / "questions.jsonl"
    found = draft(handbook_settings, 30, 0, path, silent)
    data = Dataset.load(path)
    assert len(data.questions) == data.synthetic == 30
    assert len({question.text for question in data.questions}) == 30
    assert len({name for question in data.questions for name in question.relevant}) == 30, "one a document"
    for one in found.drafts:
        assert "".join(one.answer.split()) in "".join(one.chunk.text.split()) or "“" in one.text
    assert summarise_drafts(found).drafted_by == "headings and sentences"


def test_the_same_seed_drafts_the_same(handbook_settings: Settings, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.jsonl", "b.jsonl", "c.jsonl")]
    for path, seed in zip(paths, (1, 1, 2), strict=True):
        draft(handbook_settings, 8, seed, path, silent)
    first, again, other = (path.read_text() for path in paths)
    assert first == again
    assert first != other


def test_what_is_measured_by_them_says_that_they_are_synthetic(
    handbook_settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "questions.jsonl"
    draft(handbook_settings, 6, 0, path, silent)
    options = Options(answers=False)
    found = evaluate(handbook_settings, "h.yaml", Dataset.load(path), tmp_path / "out", options, silent)
    assert summarise(found).synthetic == 6
    assert found.means("after")["ndcg@10"] > 0.8


def test_a_file_that_may_have_been_reviewed_is_not_written_over(
    handbook_settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_text("mine\n")
    with pytest.raises(InputError, match="name another --out"):
        draft(handbook_settings, 3, 0, path, silent)
    assert path.read_text() == "mine\n"


def test_an_empty_index_is_refused(tmp_path: Path) -> None:
    settings = Settings(store={"path": tmp_path / "index"})  # type: ignore[arg-type]  # pydantic validates
    with pytest.raises(ConfigError, match="rag ingest"):
        draft(settings, 5, 0, tmp_path / "q.jsonl", silent)


def test_a_language_model_drafts_where_one_is_configured(
    handbook_settings: Settings, openai_server: OpenAIServer, tmp_path: Path
) -> None:
    """Its markers and quotes are taken off; a reply that is no question is passed over."""
    replies = [
        "“Where is the tea?” [1]",
        "I cannot do that.",
        "Who keeps the keys?\nBecause.",
        "Why so late?",
    ]
    openai_server.plan(*map(Say, replies))
    generator = OpenAIGeneratorSettings.model_validate(
        {"kind": "openai", "base_url": openai_server.base_url, "api_key": KEY}
    )
    settings = handbook_settings.model_copy(update={"generator": generator})
    found = draft(settings, 3, 0, tmp_path / "q.jsonl", silent)
    assert [one.text for one in found.drafts] == ["Where is the tea?", "Who keeps the keys?", "Why so late?"]
    lines = [json.loads(row) for row in (tmp_path / "q.jsonl").read_text().splitlines()]
    assert {line["metadata"]["drafted_by"] for line in lines} == {found.drafted_by}
    assert "openai" in found.drafted_by
