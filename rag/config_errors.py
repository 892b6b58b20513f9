"""What is wrong with a config or the environment, told by the key and with the nearest name that there is."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast, get_args

from pydantic import BaseModel, ValidationError

from rag.errors import ConfigError
from rag.services.account import without_password

PREFIX = "RAG_"
DELIMITER = "__"
SECRETS = ("api_key", "token")
# Read elsewhere, and no setting of a config: the program that opens a source.
_NO_SETTINGS = ("RAG_OPENER",)


@dataclass(frozen=True, slots=True)
class Sections:
    """The settings that may stand in each section: one model a kind."""

    models: Mapping[str, Sequence[type[BaseModel]]]

    @classmethod
    def of(cls, settings: type[BaseModel]) -> Sections:
        fields = settings.model_fields.items()
        return cls({name: _alternatives(field.annotation) for name, field in fields})

    def check_file(self, content: Mapping[str, Any], path: str | Path | None) -> None:
        """pydantic-settings does not mind capitals: of `Store` and `store` it would lose one."""
        known = list(self.models)
        if wrong := [section for section in content if section not in known]:
            raise ConfigError(
                "\n".join(f"unknown section {name!r} in {path}{self._at_home(name, known)}" for name in wrong)
            )

    def check_environment(self) -> None:
        """pydantic-settings passes over names that it does not know; a misspelt one must not be lost."""
        for variable in _upper_environment():
            section, _, key = variable.removeprefix(PREFIX).lower().partition(DELIMITER)
            known = self._keys(section)
            if section not in self.models or (key and key.split(DELIMITER)[0] not in known):
                names = [f"{PREFIX}{s}{DELIMITER}{k}".upper() for s in self.models for k in self._keys(s)]
                raise ConfigError(f"{variable} names no setting{_nearest(variable, names)}")

    def explain(self, error: ValidationError, content: Mapping[str, Any], path: str | Path | None) -> str:
        return "\n".join(self._line(item, content, path) for item in error.errors(include_url=False))

    def _at_home(self, name: str, known: Sequence[str]) -> str:
        """A key without its section, or a section misspelt."""
        homes = [section for section in known if name in self._keys(section)]
        return f": it is a key of {' and of '.join(homes)}" if homes else _nearest(name, known)

    def _keys(self, section: str) -> set[str]:
        """Every key that some kind of this section has."""
        return {key for model in self.models.get(section, ()) for key in model.model_fields}

    def _line(self, item: Mapping[str, Any], content: Mapping[str, Any], path: str | Path | None) -> str:
        section, *rest = [str(part) for part in item["loc"]]
        place = rest.copy()
        kinds = {kind for model in self.models.get(section, ()) for kind in _kinds(model)}
        kind = rest.pop(0) if rest and rest[0] in kinds else ""
        name = ".".join([section, *rest])
        key = rest[0] if rest else ""
        in_file = f" in {path}" if path is not None else ""
        where = f" in {variable}" if (variable := variable_of(section, key)) else in_file
        if item["type"] == "extra_forbidden":
            mine = {key for model in self._models_at(section, place[:-1]) for key in model.model_fields}
            line = f"unknown key {name!r}{where}{_nearest(rest[-1], sorted(mine))}"
            if key in keys_in(content, section) and (switch := variable_of(section, "kind")):
                line += f" ({switch} changed the kind to {kind}, and the file's keys belong to another)"
            return line
        if item["type"] == "union_tag_invalid":
            tag = item["ctx"]["tag"]
            there = sorted({kind for model in self._models_at(section, place) for kind in _kinds(model)})
            return f"{name}.kind{where}: there is no {tag!r}{_nearest(tag, there)}"
        # What was given is shown unless it is, or may hold, a secret.
        secret = {*SECRETS} & {*rest} or isinstance(item["input"], Mapping)
        given = "" if secret else f", got {without_password(repr(item['input']))}"
        return f"{name}{where}: {item['msg']}{given}"

    def _models_at(self, section: str, place: Sequence[str]) -> list[type[BaseModel]]:
        """The settings that may stand there: `place` is a path of keys, kinds and numbers of a list."""
        models = list(self.models.get(section, ()))
        for part in place:
            if of_kind := [model for model in models if part in _kinds(model)]:
                models = of_kind
            elif not part.isdigit():
                fields = [model.model_fields[part] for model in models if part in model.model_fields]
                models = [model for field in fields for model in _models_in(field.annotation)]
        return models


def refuse_secrets(content: Mapping[str, Any], path: Path) -> None:
    for section, fields in content.items():
        for key in SECRETS:
            if isinstance(fields, Mapping) and fields.get(key) is not None:
                variable = f"{PREFIX}{section}{DELIMITER}{key}".upper()
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
        found = next((key for key in SECRETS if value.get(key) is not None), "")
        return found or _inner_secret(list(value.values()))
    return next(filter(None, map(_inner_secret, value)), "") if isinstance(value, list) else ""


def variable_of(section: str, key: str) -> str:
    """The variable that sets this key (without one: the section as a whole); empty where none does."""
    whole = f"{PREFIX}{section}".upper()
    own = f"{whole}{DELIMITER}{key}".upper()
    there = _upper_environment()
    if own in there:
        return own
    # A section as one variable is JSON, which was read before: its keys stand between quotation marks.
    return whole if whole in there and (not key or f'"{key}"' in os.environ.get(whole, "")) else ""


def keys_in(content: Mapping[str, Any], section: str) -> Mapping[str, Any]:
    fields = content.get(section)
    return fields if isinstance(fields, Mapping) else {}


def _upper_environment() -> list[str]:
    upper = map(str.upper, os.environ)
    return [name for name in upper if name.startswith(PREFIX) and name not in _NO_SETTINGS]


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models_in(inner)]


def _kinds(model: type[BaseModel]) -> tuple[str, ...]:
    field = model.model_fields.get("kind")
    return get_args(field.annotation) if field else ()


def _nearest(name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    return f": did you mean {near[0]!r}?" if near else f": there are {', '.join(known)}"


def _alternatives(annotation: Any) -> list[type[BaseModel]]:
    return list(get_args(annotation)) or [cast(type[BaseModel], annotation)]
