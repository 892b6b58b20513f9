"""Which model of a config is trained, and how a config names it once it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rag.embedders.card import describe
from rag.embedders.sentence_transformers import SentenceTransformersSettings
from rag.errors import ConfigError
from rag.models.folder import find_model
from rag.rerankers.cross_encoder import CrossEncoderSettings
from rag.rerankers.late_interaction import LateInteractionSettings
from rag.rerankers.none import NoneSettings
from rag.retrievers.own_index import RetrieverSettings
from rag.settings import Settings
from rag.training.learning.student import Student
from rag.training.recipe import Recipe

Kind = Literal["embedder", "cross-encoder", "multi-vector"]


@dataclass(frozen=True, slots=True)
class Trainee:
    """`key`: where in the config its name stands. `folder`: its weights as they are now."""

    kind: Kind
    key: str
    name: str
    folder: Path
    prompts: tuple[str, str]
    device: str | None

    @property
    def encodes(self) -> bool:
        """Whether an index is made with it, and must be made anew."""
        return self.kind == "embedder"

    def student(self, recipe: Recipe) -> Student:
        if self.kind == "cross-encoder":
            from rag.training.learning.cross_encoder import CrossEncoderStudent

            return CrossEncoderStudent(self.folder, recipe, self.device)
        if self.kind == "multi-vector":
            from rag.training.learning.multi_vector import MultiVectorStudent

            return MultiVectorStudent(self.folder, recipe, self.device)
        from rag.training.learning.bi_encoder import BiEncoder

        return BiEncoder(self.folder, recipe, self.prompts, self.device)


def trainee_of(settings: Settings) -> Trainee:
    """The reranker where it is a local model of its own; else the embedder, whose tokens are compared."""
    if not isinstance(settings.retriever, RetrieverSettings):
        raise ConfigError(
            f"retriever.kind {settings.retriever.kind!r} keeps its passages to itself, and training reads "
            "passages: name hybrid, dense or lexical"
        )
    reranker = settings.reranker
    if isinstance(reranker, CrossEncoderSettings):
        folder = find_model(reranker.model, reranker.revision)
        return Trainee("cross-encoder", "reranker.model", reranker.model, folder, ("", ""), reranker.device)
    if isinstance(reranker, LateInteractionSettings) and reranker.model:
        folder = find_model(reranker.model, None)
        return Trainee("multi-vector", "reranker.model", reranker.model, folder, ("", ""), reranker.device)
    if not isinstance(reranker, LateInteractionSettings | NoneSettings):
        raise ConfigError(
            f"reranker.kind {reranker.kind!r} is not a model that can be trained here: name late-interaction "
            "or cross-encoder in the config to train"
        )
    return _embedder(settings)


def _embedder(settings: Settings) -> Trainee:
    embedder = settings.embedder
    if not isinstance(embedder, SentenceTransformersSettings):
        raise ConfigError(
            f"embedder.kind {embedder.kind!r} is a service's model, which cannot be trained here: name "
            "sentence-transformers, or a reranker.kind that is a local model of its own (cross-encoder)"
        )
    folder = find_model(embedder.model, embedder.revision)
    card = describe(folder, embedder.model, embedder.question_prompt, embedder.passage_prompt)
    prompts = (card.question_prompt, card.passage_prompt)
    return Trainee("embedder", "embedder.model", embedder.model, folder, prompts, embedder.device)


def with_model(settings: Settings, trainee: Trainee, folder: Path, calibration: Path | None) -> Settings:
    """The same config with the trained model in its place."""
    named = {"model": str(folder), "revision": None}
    reranker = settings.reranker.model_copy(update={"calibration": calibration})
    if trainee.encodes:
        embedder = settings.embedder.model_copy(update=named)
        return settings.model_copy(update={"embedder": embedder, "reranker": reranker})
    known = {key: value for key, value in named.items() if key in type(reranker).model_fields}
    return settings.model_copy(update={"reranker": reranker.model_copy(update=known)})


def config_lines(trainee: Trainee, folder: Path) -> str:
    """What a config says to use it."""
    if trainee.encodes:
        return f"embedder: {{model: {folder}}}\nreranker: {{calibration: {folder}/calibration.yaml}}"
    kind = "cross-encoder" if trainee.kind == "cross-encoder" else "late-interaction"
    return f"reranker: {{kind: {kind}, model: {folder}, calibration: {folder}/calibration.yaml}}"
