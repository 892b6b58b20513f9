"""The models that the settings use, told by their files: nothing is downloaded, and no model loaded."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rag.errors import RagError
from rag.models.card import Figures, ModelCard, read_card
from rag.models.folder import (
    BUNDLED_PACKAGE,
    BUNDLED_SHA256,
    count_parameters,
    is_bundled,
    model_at_hand,
    weight_files,
    weights_hash,
)
from rag.models.local_model import LocalModel
from rag.parts import HostedModel
from rag.settings import Settings

# By the hash of the weights: what their makers say of them, wherever they lie.
_KNOWN = {
    BUNDLED_SHA256: ModelCard(
        licence="Apache-2.0",
        trained_on="1.17 billion pairs of sentences by sentence-transformers: Reddit, S2ORC, WikiAnswers, "
        "PAQ, Stack Exchange, MS MARCO, GOOAQ, Natural Questions, SQuAD 2.0, TriviaQA and others",
    )
}


@dataclass(frozen=True, slots=True)
class Role:
    """`part` is the key in the config."""

    part: str
    kind: str


@dataclass(frozen=True, slots=True)
class Model:
    """`host` is where a service runs it, whose weights nobody here knows. `problem`: why less is known."""

    roles: tuple[Role, ...]
    name: str
    version: str = ""
    host: str = ""
    folder: str = ""
    licence: str = ""
    bytes: int | None = None
    parameters: int | None = None
    sha256: str | None = None
    runtime: str = ""
    precision: str = ""
    trained_on: str = ""
    figures: Figures = field(default_factory=dict)
    problem: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def used_as(self) -> str:
        return ", ".join(f"{role.part} ({role.kind})" for role in self.roles)

    @property
    def line(self) -> str:
        """What matters most of it."""
        name = f"{self.name or 'a model without a name'}: {', '.join(role.part for role in self.roles)}"
        if self.host:
            return f"{name}; at {self.host}, weights not known"
        told = [self.licence or "licence not stated", self.size] if self.sha256 else []
        told += [f"sha256 {self.sha256[:12]}…"] if self.sha256 else []
        return f"{name}; {', '.join(filter(None, [*told, self.run_by, self.problem]))}"

    @property
    def size(self) -> str:
        counted = f"{self.parameters:,} parameters, " if self.parameters else ""
        return f"{counted}{(self.bytes or 0) / 1e6:,.1f} MB"

    @property
    def run_by(self) -> str:
        return f"{self.runtime}, precision {self.precision}" if self.runtime else ""


def models_in_use(settings: Settings) -> list[Model]:
    """Each once, in the order in which a question meets them, with all that it is used for."""
    roles: dict[LocalModel | HostedModel, list[Role]] = {}
    tokens = settings.token_model()
    for place, part in settings.parts():
        if (used := part.hosted_model() or part.local_model(tokens)) is not None:
            roles.setdefault(used, []).append(Role(place, part.kind))
    return [
        Model(tuple(uses), used.name, host=used.host)
        if isinstance(used, HostedModel)
        else _described(Model(tuple(uses), used.name), used)
        for used, uses in roles.items()
    ]


def _described(model: Model, asked: LocalModel) -> Model:
    try:
        folder = model_at_hand(asked.name, asked.revision)
    except (RagError, OSError) as error:
        return replace(model, problem=str(error))
    if folder is None:
        return replace(model, problem="not on this machine: it is downloaded when it is first used")
    model = replace(model, folder=str(folder))
    for tell in (_weights, _card, partial(_runtime, asked)):
        try:
            model = tell(model, folder)
        except (RagError, OSError) as error:  # what else there is to tell is told
            model = replace(model, problem="; ".join(filter(None, [model.problem, str(error)])))
    return model


def _weights(model: Model, folder: Path) -> Model:
    files = weight_files(folder)
    return replace(
        model,
        bytes=sum(file.stat().st_size for file in files),
        parameters=count_parameters(files),
        sha256=weights_hash(folder),
    )


def _card(model: Model, folder: Path) -> Model:
    card = _KNOWN.get(model.sha256 or "") or read_card(folder)
    return replace(
        model,
        version=card.version or _source(folder),
        licence=card.licence,
        trained_on=card.trained_on,
        figures=card.figures,
    )


def _runtime(asked: LocalModel, model: Model, folder: Path) -> Model:
    choice = asked.choice(folder)
    # onnxruntime computes in nothing else here.
    precision = "fp32" if choice.runtime == "onnx" else choice.precision
    return replace(model, runtime=choice.runtime, precision=precision)


def _source(folder: Path) -> str:
    """Which edition of it lies there: the package's, or the hub's commit."""
    if is_bundled(folder):
        return f"{BUNDLED_PACKAGE} {version(BUNDLED_PACKAGE)}"
    return folder.name if folder.parent.name == "snapshots" else ""
