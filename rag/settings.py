"""Settings: YAML, environment over file, leaf by leaf; every name checked.

`Settings.load(path)` reads and validates. What is built from settings is in `rag.assembly`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, PositiveInt, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError

from rag.answers.confidence import AnswerSettings
from rag.answers.reader import AnyReaderSettings, BundledReaderSettings
from rag.chunkers import ChunkerSettings
from rag.chunkers.structure import StructureSettings
from rag.config_errors import DELIMITER, PREFIX, SECRETS, Sections, keys_in, refuse_secrets, variable_of
from rag.embedders import AnyEmbedderSettings
from rag.embedders.sentence_transformers import SentenceTransformersSettings
from rag.errors import ConfigError
from rag.files.given import MOST_OF_YAML, parse_yaml, read_given
from rag.generators import AnyGeneratorSettings
from rag.generators.extractive import ExtractiveSettings
from rag.loaders import LoaderSettings
from rag.models.local_model import LocalModel
from rag.parts import PartSettings
from rag.rerankers import AnyRerankerSettings
from rag.rerankers.late_interaction import LateInteractionSettings
from rag.retrievers import AnyRetrieverSettings
from rag.retrievers.own_index import OwnIndexSettings
from rag.second_stage.policy import PolicySettings
from rag.selection import Order
from rag.services.offline import NetworkSettings
from rag.stores import AnyStoreSettings
from rag.stores.chroma import EmbeddedStoreSettings

_LARGEST = 10**12

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class SelectionSettings(BaseModel, frozen=True, extra="forbid"):
    """duplicates: share of common word triples from which a passage repeats another; null keeps all."""

    duplicates: Share | None = 0.9
    budget: PositiveInt = 3000
    order: Order = "relevance"


class RunSettings(BaseModel, frozen=True, extra="forbid"):
    """What `rag run` reads and where it writes."""

    sources: tuple[Path, ...] = ()
    questions: Path | None = None
    out: Path = Path("runs/default")
    prune: bool = True


class Settings(BaseSettings):
    """All that can be chosen, section by section.

    >>> settings = Settings(reranker={"top_k": 3})
    >>> settings.reranker.kind, settings.reranker.top_k
    ('late-interaction', 3)
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter=DELIMITER,
        extra="forbid",
        frozen=True,
        case_sensitive=False,
        hide_input_in_errors=True,  # it may be a key
    )

    store: AnyStoreSettings = EmbeddedStoreSettings()
    loader: LoaderSettings = LoaderSettings()
    chunker: ChunkerSettings = StructureSettings()
    embedder: AnyEmbedderSettings = SentenceTransformersSettings()
    retriever: AnyRetrieverSettings = OwnIndexSettings()
    reranker: AnyRerankerSettings = LateInteractionSettings()
    policy: PolicySettings = PolicySettings()
    selection: SelectionSettings = SelectionSettings()
    reader: AnyReaderSettings = BundledReaderSettings()
    answer: AnswerSettings = AnswerSettings()
    generator: AnyGeneratorSettings = ExtractiveSettings()
    run: RunSettings = RunSettings()
    network: NetworkSettings = NetworkSettings()

    @classmethod
    def load(cls, path: str | Path | None = None) -> Settings:
        """From a file (or none) and the environment. Everything wrong with them is one ConfigError."""
        return cls.of(_read(Path(path)) if path is not None else {}, path)

    @classmethod
    def of(cls, content: dict[str, Any], path: str | Path | None) -> Settings:
        """From what a file holds, and the environment."""
        sections = Sections.of(cls)
        sections.check_file(content, path)
        sections.check_environment()
        try:
            settings = cls(**content)
        except ValidationError as error:
            raise ConfigError(sections.explain(error, content, path)) from None
        except SettingsError as error:
            raise ConfigError(f"the environment's {PREFIX}* variables cannot be read: {error}") from error
        except RecursionError:
            raise ConfigError(f"the environment's {PREFIX}* variables are nested too deeply") from None
        for section, fields in public(settings).items():
            _refuse_senseless(fields, section, path)
        return settings

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file's values, which come as arguments."""
        return env_settings, init_settings

    @model_validator(mode="before")
    @classmethod
    def _default_kinds(cls, values: Any) -> Any:
        """A section without a kind means the default's, so that one key alone can be set."""
        return {name: _with_kind(name, value) for name, value in dict(values).items()}

    def parts(self) -> Iterator[tuple[str, PartSettings]]:
        """Each part with its place in the config, in the order in which a question meets them."""
        yield "store", self.store
        yield "embedder", self.embedder
        yield "retriever", self.retriever
        yield from self.rerankers()
        yield "reader", self.reader
        yield "generator", self.generator

    def rerankers(self) -> Iterator[tuple[str, AnyRerankerSettings]]:
        for i, stage in enumerate(self.policy.cascade):
            yield f"policy.cascade[{i}]", stage
        yield "reranker", self.reranker
        for i, other in enumerate(self.policy.fallback):
            yield f"policy.fallback[{i}]", other

    def token_model(self) -> LocalModel:
        """Whose token vectors are compared: the embedder's, or the bundled one's where it has none."""
        return self.embedder.token_model() or SentenceTransformersSettings().local_model()


def resolved(settings: Settings, path: str | Path | None = None) -> Iterator[tuple[str, Any, str]]:
    """(key, value, where it came from) of every setting; secrets show only whether they are set."""
    content = _read(Path(path)) if path is not None else {}
    for section, fields in public(settings).items():
        for key, value in fields.items():
            variable = variable_of(section, key)
            in_file = str(path) if key in keys_in(content, section) else ""
            yield f"{section}.{key}", value, variable or in_file or "default"


def public(settings: Settings) -> dict[str, dict[str, Any]]:
    """The settings as plain values, without secrets."""
    return {name: _public(section) for name, section in settings}


def _public(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return "(set)"
    if isinstance(value, BaseModel):
        return {key: _public(item) for key, item in value if key not in SECRETS or item is not None}
    if isinstance(value, Path):
        return str(value)
    return [_public(item) for item in value] if isinstance(value, tuple) else value


def _refuse_senseless(value: Any, name: str, path: str | Path | None) -> None:
    """No setting counts or measures so much: such a number would overflow somewhere, or wait for ever."""
    if isinstance(value, dict):
        for key, item in value.items():
            _refuse_senseless(item, f"{name}.{key}", path)
    elif isinstance(value, list):
        for at, item in enumerate(value):
            _refuse_senseless(item, f"{name}[{at}]", path)
    elif isinstance(value, int | float) and not abs(value) <= _LARGEST:
        where = f" in {path}" if path is not None else ""
        raise ConfigError(f"{name}{where}: there is no sense in {value:g}; at most {_LARGEST:g}")


def _read(path: Path) -> dict[str, Any]:
    return parse_config(read_config(path), path)


def read_config(path: Path) -> bytes:
    return read_given(path, "config", MOST_OF_YAML)


def parse_config(raw: bytes, path: Path) -> dict[str, Any]:
    content = parse_yaml(raw, f"config {path}")
    if not isinstance(content, dict | None):
        raise ConfigError(f"config {path} holds {type(content).__name__}, not sections such as `reranker:`")
    refuse_secrets(content or {}, path)
    return {str(key): value for key, value in (content or {}).items() if value is not None}


def _with_kind(name: str, value: Any) -> Any:
    field = Settings.model_fields.get(name)
    default = getattr(field.default, "kind", None) if field else None
    return {"kind": default, **value} if default and isinstance(value, dict) else value
