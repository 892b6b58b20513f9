from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from support.builders import SmallIndex, candidate, names
from support.fakes import NothingStored, WordEmbedder

from rag import Rag
from rag.embedders.sentence_transformers import SentenceTransformersEmbedder
from rag.errors import ModelError
from rag.models import token_bits
from rag.models.folder import BUNDLED_NAME, find_model
from rag.parts import Parts
from rag.rerankers.late_interaction import LateInteraction, LateInteractionSettings
from rag.rerankers.multi_vector import MultiVectorTokens
from rag.types import Candidate, Question

TEXTS = {
    "dome.md": "---\ndepartment: Weather\n---\n\nClose the dome when the wind is above 16 metres a second.",
    "wind.md": "---\ndepartment: Masts\n---\n\nThe wind vane on the north mast is checked each May.",
    "soup.md": "---\ndepartment: Kitchen\n---\n\nSoup is served at seven.",
}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> SmallIndex:
    return SmallIndex(tmp_path_factory.mktemp("small"), TEXTS)


def asked(index: SmallIndex, text: str = "dome wind") -> tuple[Question, list[Candidate]]:
    question = Question(text, index.embedder.embed_question(text))
    return question, list(index.retriever().retrieve(question))


def on_the_spot(embedder: SentenceTransformersEmbedder, **settings: object) -> LateInteraction:
    """Over an index that kept no tokens."""
    return LateInteractionSettings.model_validate(settings).build(Parts(NothingStored(), lambda: embedder))


# --- stored, and on the spot ---------------------------------------------------------------


def test_stored_bits_need_no_encoding(small: SmallIndex) -> None:
    encoder = WordEmbedder()
    scores = small.late_interaction(encoder).score(*asked(small))
    assert (scores.encoded, encoder.encoded) == (0, [])


def test_bits_made_on_the_spot_score_as_those_kept_at_ingest(small: SmallIndex, tmp_path: Path) -> None:
    bare = SmallIndex(tmp_path, TEXTS, WordEmbedder(tokens=False))
    kept = small.late_interaction().score(*asked(small))
    made = bare.late_interaction(WordEmbedder()).score(*asked(bare))
    assert names(asked(small)[1]) == names(asked(bare)[1])
    assert made.values == pytest.approx(kept.values, abs=1e-6)
    assert (kept.encoded, made.encoded) == (0, 3)


def test_the_handbooks_stored_bits_score_as_those_made_on_the_spot(
    handbook: Rag, embedder: SentenceTransformersEmbedder
) -> None:
    """To the last bit but for the sign of a dimension near zero, which depends on the batch in bf16."""
    text = "How do I reset the tracker?"
    question = handbook.pipeline.encode(text)
    found = handbook.retrieve(text)[:20]
    kept = handbook.pipeline.reranker.score(question, found)
    made = on_the_spot(embedder).score(question, found)
    assert (kept.encoded, made.encoded) == (0, 20)
    assert made.values == pytest.approx(kept.values, abs=0.01)


def test_only_the_passages_whose_tokens_are_missing_are_encoded(small: SmallIndex) -> None:
    question, found = asked(small)
    stranger = candidate("the dome of another index", "stranger.md", rank=4)
    scores = small.late_interaction().score(question, [found[0], stranger, *found[1:]])
    alone = small.late_interaction().score(question, found)
    assert scores.encoded == 1
    assert (scores.values[0], *scores.values[2:]) == pytest.approx(alone.values, abs=1e-6)


def test_tokens_of_another_width_are_not_taken_for_this_models(small: SmallIndex) -> None:
    """An index made by one model, read by another: encoded anew, not misread."""
    wide = WordEmbedder(dimension=128)
    _, found = asked(small)
    question = Question("dome wind", wide.embed_question("dome wind"))
    assert small.late_interaction(wide).score(question, found).encoded == 3


def test_the_passage_with_the_questions_words_scores_best(small: SmallIndex) -> None:
    question, found = asked(small, "soup at seven")
    values = small.late_interaction().score(question, found).values
    assert names(found)[int(np.argmax(values))] == "soup.md"


# --- what it reads -------------------------------------------------------------------------


def test_float_precision_is_the_exact_mean_of_the_best_cosines(small: SmallIndex) -> None:
    question, found = asked(small)
    scores = small.late_interaction(precision="float").score(question, found)
    tokens = WordEmbedder().embed_tokens([each.chunk.reading for each in found])
    assert question.vectors is not None
    assert question.vectors.tokens is not None
    expected = token_bits.maxsim_floats(question.vectors.tokens, tokens)
    assert scores.values == pytest.approx(expected, abs=1e-6)
    assert scores.encoded == 3


def test_a_field_can_be_read_that_was_not_embedded(small: SmallIndex) -> None:
    question, found = asked(small, "kitchen")
    values = small.late_interaction(fields=["department", "text"]).score(question, found).values
    assert names(found)[int(np.argmax(values))] == "soup.md"


def test_other_fields_than_were_embedded_are_encoded_on_the_spot(small: SmallIndex) -> None:
    assert small.late_interaction(fields=["text"]).score(*asked(small)).encoded == 3


def test_a_question_without_tokens_is_encoded_by_the_models_that_reads_the_passages(
    small: SmallIndex,
) -> None:
    _, found = asked(small)
    bare = Question("dome wind", WordEmbedder(tokens=False).embed_question("dome wind"))
    assert small.late_interaction().score(bare, found).values == pytest.approx(
        small.late_interaction().score(*asked(small)).values, abs=1e-6
    )


def test_a_model_without_tokens_is_a_clear_error(small: SmallIndex) -> None:
    tokenless = WordEmbedder(tokens=False)
    question = Question("dome", tokenless.embed_question("dome"))
    with pytest.raises(ModelError, match="token vectors of the question"):
        small.late_interaction(tokenless).score(question, asked(small)[1])


def test_an_index_without_tokens_is_read_by_the_bundled_model(
    tmp_path: Path, embedder: SentenceTransformersEmbedder
) -> None:
    """As with an embedder behind an API: question and passages are both encoded by the local one."""
    index = SmallIndex(tmp_path, TEXTS, WordEmbedder(tokens=False))
    question, found = asked(index, "At which wind do I shut the roof?")
    scores = index.late_interaction(embedder).score(question, found)
    assert scores.encoded == 3
    assert names(found)[int(np.argmax(scores.values))] == "dome.md"


# --- a multi-vector model ------------------------------------------------------------------


@pytest.fixture(scope="module")
def colbert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A MultiVectorEncoder on disk: MiniLM's body under an untrained projection."""
    from sentence_transformers import MultiVectorEncoder
    from torch import manual_seed

    folder = tmp_path_factory.mktemp("colbert") / "model"
    manual_seed(7)
    MultiVectorEncoder(str(find_model(BUNDLED_NAME, None)), device="cpu").save(str(folder))
    return folder


@pytest.mark.parametrize("precision", ["float", "1bit"])
def test_a_multi_vector_model_is_read_from_its_folder(
    small: SmallIndex, colbert: Path, precision: str
) -> None:
    question, found = asked(small, "soup is served at seven")
    reranker = small.late_interaction(model=str(colbert), precision=precision)
    scores = reranker.score(question, found)
    assert (reranker.card.kind, reranker.card.model) == ("late-interaction", str(colbert))
    assert scores.encoded == 3
    assert names(found)[int(np.argmax(scores.values))] == "soup.md"


def test_a_multi_vector_models_tokens_have_unit_length(colbert: Path) -> None:
    tokens = MultiVectorTokens(str(colbert), "cpu").embed_tokens(["one two", "three"])
    assert [np.linalg.norm(each, axis=1) for each in tokens] == [
        pytest.approx(np.ones(len(t)), abs=1e-5) for t in tokens
    ]


def test_a_passage_of_which_a_multi_vector_model_skips_every_token_still_has_a_score(
    tmp_path: Path, colbert: Path
) -> None:
    """Those models pass over punctuation. Without tokens a passage must not shift the others' scores."""
    skipping = _skipping_punctuation(colbert, tmp_path / "skipping")
    texts = ["The dome is shut.", "... !!! ...", "Soup is served."]
    reranker = LateInteractionSettings(precision="float", model=str(skipping)).build(
        Parts(NothingStored(), WordEmbedder)
    )
    given = [candidate(text, f"{rank}.md", rank=rank) for rank, text in enumerate(texts, start=1)]
    together = reranker.score(Question("soup"), given).values
    alone = [reranker.score(Question("soup"), [each]).values[0] for each in given]
    assert together == pytest.approx(alone, abs=1e-4)
    assert together[1] < min(together[0], together[2])


def _skipping_punctuation(model: Path, folder: Path) -> Path:
    shutil.copytree(model, folder)
    config = folder / "2_MultiVectorMask" / "config.json"
    content = json.loads(config.read_text())
    # Its special tokens too, as far as they are words of their own.
    config.write_text(json.dumps({**content, "skiplist_words": [".", "!", "[CLS]", "[SEP]"]}))
    return folder


def test_a_model_that_is_not_there_is_a_clear_error(small: SmallIndex) -> None:
    with pytest.raises(ModelError, match=r"reranker\.model 'no/such-model' could not be loaded"):
        small.late_interaction(model="no/such-model").score(*asked(small))


def test_a_bi_encoder_named_as_multi_vector_model_is_refused(small: SmallIndex) -> None:
    """The library would read it through a projection of random numbers."""
    with pytest.raises(ModelError, match="no multi-vector model"):
        small.late_interaction(model=str(find_model(BUNDLED_NAME, None))).score(*asked(small))
