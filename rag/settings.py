"""Settings: YAML, environment over file, leaf by leaf; every name checked.

`Settings.load(path)` reads and validates. What is built from settings is in `rag.assembly`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, cast, get_args

import yaml
from pydantic import BaseModel, Field, PositiveInt, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError

from rag.answers.reader import NoReaderSettings, ReaderSettings
from rag.chunkers import ChunkerSettings
from rag.chunkers.structure import StructureSettings
from rag.embedders import EmbedderSettings
from rag.embedders.sentence_transformers import SentenceTransformersSettings
from rag.errors import ConfigError
from rag.generators import GeneratorSettings
from rag.generators.extractive import ExtractiveSettings
from rag.loaders import LoaderSettings
from rag.rerankers import AnyRerankerSettings
from rag.rerankers.late_interaction import LateInteractionSettings
from rag.retrievers import RemoteRetrieverSettings
from rag.retrievers.own_index import RetrieverSettings
from rag.second_stage.policy import PolicySettings
from rag.selection import Order
from rag.services.account import without_password
from rag.services.offline import NetworkSettings
from rag.stores import StoreSettings
from rag.stores.chroma import EmbeddedStoreSettings

PREFIX = "RAG_"
_DELIMITER = "__"
_SECRETS = ("api_key", "token")

Share = Annotated[float, Field(ge=0.0, le=1.0)]


AnyRetrieverSettings = Annotated[RetrieverSettings | RemoteRetrieverSettings, Field(discriminator="kind")]


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
    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter=_DELIMITER,
        extra="forbid",
        frozen=True,
        case_sensitive=False,
        hide_input_in_errors=True,  # it may be a key
    )

    store: StoreSettings = EmbeddedStoreSettings()
    loader: LoaderSettings = LoaderSettings()
    chunker: ChunkerSettings = StructureSettings()
    embedder: EmbedderSettings = SentenceTransformersSettings()
    retriever: AnyRetrieverSettings = RetrieverSettings()
    reranker: AnyRerankerSettings = LateInteractionSettings()
    policy: PolicySettings = PolicySettings()
    selection: SelectionSettings = SelectionSettings()
    reader: ReaderSettings = NoReaderSettings()
    generator: GeneratorSettings = ExtractiveSettings()
    run: RunSettings = RunSettings()
    network: NetworkSettings = NetworkSettings()

    @classmethod
    def load(cls, path: str | Path | None = None) -> Settings:
        """From a file (or none) and the environment. Everything wrong with them is one ConfigError."""
        content = _read(Path(path)) if path is not None else {}
        _check_sections(content, path)
        _check_environment()
        try:
            return cls(**content)
        except ValidationError as error:
            raise ConfigError(_explain(error, content, path)) from None
        except SettingsError as error:
            raise ConfigError(f"the environment's {PREFIX}* variables cannot be read: {error}") from error

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


def resolved(settings: Settings, path: str | Path | None = None) -> Iterator[tuple[str, Any, str]]:
    """(key, value, where it came from) of every setting; secrets show only whether they are set."""
    content = _read(Path(path)) if path is not None else {}
    for section, fields in public(settings).items():
        for key, value in fields.items():
            variable = _variable(section, key)
            in_file = str(path) if key in _section(content, section) else ""
            yield f"{section}.{key}", value, variable or in_file or "default"


def public(settings: Settings) -> dict[str, dict[str, Any]]:
    """The settings as plain values, without secrets."""
    return {name: _public(section) for name, section in settings}


def _public(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return "(set)"
    if isinstance(value, BaseModel):
        return {key: _public(item) for key, item in value if key not in _SECRETS or item is not None}
    if isinstance(value, Path):
        return str(value)
    return [_public(item) for item in value] if isinstance(value, tuple) else value


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"config {path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"config {path} is not YAML: {error}") from error
    if not isinstance(content, dict | None):
        raise ConfigError(f"config {path} holds {type(content).__name__}, not sections such as `reranker:`")
    _refuse_secrets(content or {}, path)
    return {str(key): value for key, value in (content or {}).items() if value is not None}


def _refuse_secrets(content: Mapping[str, Any], path: Path) -> None:
    for section, fields in content.items():
        for key in _SECRETS:
            if isinstance(fields, Mapping) and fields.get(key) is not None:
                variable = f"{PREFIX}{section}{_DELIMITER}{key}".upper()
                raise ConfigError(
                    f"{path}: {section}.{key} is a secret: set it as {variable} in the environment"
                )
        if isinstance(fields, Mapping) and (key := _inner_secret(list(fields.values()))):
            raise ConfigError(
                f"{path}: {section} holds an {key}, which is a secret: put it into a variable of the "
                "environment, and the variable's name into key_env"
            )


def _inner_secret(value: Any) -> str:
    """The key of the first secret somewhere inside."""
    if isinstance(value, Mapping):
        found = next((key for key in _SECRETS if value.get(key) is not None), "")
        return found or _inner_secret(list(value.values()))
    return next(filter(None, map(_inner_secret, value)), "") if isinstance(value, list) else ""


def _check_sections(content: Mapping[str, Any], path: str | Path | None) -> None:
    """pydantic-settings does not mind capitals: of `Store` and `store` it would lose one."""
    known = list(Settings.model_fields)
    if wrong := [section for section in content if section not in known]:
        raise ConfigError(
            "\n".join(f"unknown section {name!r} in {path}{_at_home(name, known)}" for name in wrong)
        )


def _at_home(name: str, known: list[str]) -> str:
    """A key without its section, or a section misspelt."""
    homes = [section for section in known if name in _keys(section)]
    return f": it is a key of {' and of '.join(homes)}" if homes else _nearest(name, known)


def _check_environment() -> None:
    """pydantic-settings passes over names that it does not know; a misspelt one must not be lost."""
    for variable in _upper_environment():
        section, _, key = variable.removeprefix(PREFIX).lower().partition(_DELIMITER)
        known = _keys(section)
        if section not in Settings.model_fields or (key and key.split(_DELIMITER)[0] not in known):
            names = [f"{PREFIX}{s}{_DELIMITER}{k}".upper() for s in Settings.model_fields for k in _keys(s)]
            raise ConfigError(f"{variable} names no setting{_nearest(variable, names)}")


def _upper_environment() -> list[str]:
    return [name.upper() for name in os.environ if name.upper().startswith(PREFIX)]


def _variable(section: str, key: str) -> str:
    """The variable that sets this key (without one: the section as a whole); empty where none does."""
    whole = f"{PREFIX}{section}".upper()
    own = f"{whole}{_DELIMITER}{key}".upper()
    there = _upper_environment()
    if own in there:
        return own
    # A section as one variable is JSON, which was read before: its keys stand between quotation marks.
    return whole if whole in there and (not key or f'"{key}"' in os.environ.get(whole, "")) else ""


def _section(content: Mapping[str, Any], section: str) -> Mapping[str, Any]:
    fields = content.get(section)
    return fields if isinstance(fields, Mapping) else {}


def _keys(section: str) -> set[str]:
    """Every key that some kind of this section has."""
    return {key for model in _models(section) for key in model.model_fields}


def _models(section: str) -> list[type[BaseModel]]:
    field = Settings.model_fields.get(section)
    if field is None:
        return []
    return list(get_args(field.annotation)) or [cast(type[BaseModel], field.annotation)]


def _with_kind(name: str, value: Any) -> Any:
    field = Settings.model_fields.get(name)
    default = getattr(field.default, "kind", None) if field else None
    return {"kind": default, **value} if default and isinstance(value, dict) else value


def _explain(error: ValidationError, content: Mapping[str, Any], path: str | Path | None) -> str:
    return "\n".join(_line(item, content, path) for item in error.errors(include_url=False))


def _line(item: Mapping[str, Any], content: Mapping[str, Any], path: str | Path | None) -> str:
    section, *rest = [str(part) for part in item["loc"]]
    place = rest.copy()
    kinds = {kind for model in _models(section) for kind in _kinds(model)}
    kind = rest.pop(0) if rest and rest[0] in kinds else ""
    name = ".".join([section, *rest])
    key = rest[0] if rest else ""
    in_file = f" in {path}" if path is not None else ""
    where = f" in {variable}" if (variable := _variable(section, key)) else in_file
    if item["type"] == "extra_forbidden":
        mine = {key for model in _models_at(section, place[:-1]) for key in model.model_fields}
        line = f"unknown key {name!r}{where}{_nearest(rest[-1], sorted(mine))}"
        if key in _section(content, section) and (switch := _variable(section, "kind")):
            line += f" ({switch} changed the kind to {kind}, and the file's keys belong to another)"
        return line
    if item["type"] == "union_tag_invalid":
        tag = item["ctx"]["tag"]
        there = sorted({kind for model in _models_at(section, place) for kind in _kinds(model)})
        return f"{name}.kind{where}: there is no {tag!r}{_nearest(tag, there)}"
    # What was given is shown unless it is, or may hold, a secret.
    shown = (
        ""
        if {*_SECRETS} & {*rest} or isinstance(item["input"], Mapping)
        else f", got {_shown(item['input'])}"
    )
    return f"{name}{where}: {item['msg']}{shown}"


def _models_at(section: str, place: Sequence[str]) -> list[type[BaseModel]]:
    """The settings that may stand there: `place` is a path of keys, kinds and numbers of a list."""
    models = _models(section)
    for part in place:
        if of_kind := [model for model in models if part in _kinds(model)]:
            models = of_kind
        elif not part.isdigit():
            fields = [model.model_fields[part] for model in models if part in model.model_fields]
            models = [model for field in fields for model in _models_in(field.annotation)]
    return models


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models_in(inner)]


def _shown(value: Any) -> str:
    return without_password(repr(value))


def _kinds(model: type[BaseModel]) -> tuple[str, ...]:
    field = model.model_fields.get("kind")
    return get_args(field.annotation) if field else ()


def _nearest(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    return f": did you mean {near[0]!r}?" if near else f": there are {', '.join(known)}"
