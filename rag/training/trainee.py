"""Which model of a config is trained, and how a config names it once it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rag.errors import ConfigError
from rag.models.folder import find_model
from rag.models.local_model import LocalModel, Reads
from rag.settings import Settings
from rag.training.learning.student import Student
from rag.training.recipe import Recipe

Kind = Literal["embedder", "cross-encoder", "multi-vector"]
_KINDS: dict[Reads, Kind] = {"sentences": "embedder", "pairs": "cross-encoder", "tokens": "multi-vector"}


@dataclass(frozen=True, slots=True)
class Trainee:
    """`part`: its kind in the config. `folder`: its weights as they are now."""

    part: str
    model: LocalModel
    folder: Path
    prompts: tuple[str, str] = ("", "")

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def kind(self) -> Kind:
        return _KINDS[self.model.reads]

    @property
    def encodes(self) -> bool:
        """Whether an index is made with it, and must be made anew."""
        return self.model.reads == "sentences"

    def student(self, recipe: Recipe) -> Student:
        if self.model.reads == "pairs":
            from rag.training.learning.cross_encoder import CrossEncoderStudent

            return CrossEncoderStudent(self.folder, recipe, self.model.device)
        if self.model.reads == "tokens":
            from rag.training.learning.multi_vector import MultiVectorStudent

            return MultiVectorStudent(self.folder, recipe, self.model.device)
        from rag.training.learning.bi_encoder import BiEncoder

        return BiEncoder(self.folder, recipe, self.prompts, self.model.device)


def trainee_of(settings: Settings) -> Trainee:
    """The reranker where it is a local model of its own; else the embedder, whose tokens are compared."""
    if not settings.retriever.own:
        raise ConfigError(
            f"retriever.kind {settings.retriever.kind!r} keeps its passages to itself, and training reads "
            "passages: name hybrid, dense or lexical"
        )
    reranker, tokens = settings.reranker, settings.token_model()
    model = reranker.local_model(tokens)
    if not reranker.reads or model == tokens:
        return _embedder(settings)
    if model is None:
        raise ConfigError(
            f"reranker.kind {reranker.kind!r} is not a model that can be trained here: name late-interaction "
            "or cross-encoder in the config to train"
        )
    return Trainee(reranker.kind, model, find_model(model.name, model.revision, model.trusted))


def _embedder(settings: Settings) -> Trainee:
    embedder = settings.embedder
    model = embedder.local_model(settings.token_model())
    if model is None:
        raise ConfigError(
            f"embedder.kind {embedder.kind!r} is no model of this machine, which could be trained here: name "
            "sentence-transformers, or a reranker.kind that is a local model of its own (cross-encoder)"
        )
    card, folder = embedder.build().card, find_model(model.name, model.revision, model.trusted)
    return Trainee(embedder.kind, model, folder, (card.question_prompt, card.passage_prompt))


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
    return f"reranker: {{kind: {trainee.part}, model: {folder}, calibration: {folder}/calibration.yaml}}"
