"""What is wrong with what came from outside, without what came: it may be a key, or somebody's question."""

from __future__ import annotations

from pydantic import ValidationError


def first_problem(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return " ".join(str(error).split()) or type(error).__name__
    problem = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in problem["loc"])
    return f"{place}: {problem['msg']}" if place else problem["msg"]
