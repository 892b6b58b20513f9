"""Scores from Cohere's rerank endpoint, version 2, or from any server that speaks it."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from pydantic import (
    BaseModel,
    FiniteFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    TypeAdapter,
)

from rag.errors import InputError
from rag.rerankers.base import Parts, RerankerSettings
from rag.rerankers.fields import reading
from rag.services import Account, Address, open_account
from rag.types import Candidate, Question, RerankerCard, Scores

if TYPE_CHECKING:
    import cohere
    from cohere.core.api_error import ApiError

_log = logging.getLogger(__name__)

_DOCUMENTS_PER_CALL = 1000
_PRODUCTION = "https://api.cohere.com"


class CohereRerankerSettings(RerankerSettings, frozen=True):
    kind: Literal["cohere"]
    model: str = "rerank-v3.5"
    api_key: SecretStr | None = None
    base_url: Address | None = None
    timeout_s: PositiveFloat = 10.0
    retries: NonNegativeInt = 2
    max_tokens_per_doc: PositiveInt | None = None

    def build(self, parts: Parts) -> CohereReranker:
        import cohere  # 0.5 s that nobody without this part should wait for

        names = ("CO_API_KEY", "COHERE_API_KEY", "RAG_RERANKER__API_KEY")
        account = open_account("Cohere", self.api_key, names)
        client = cohere.ClientV2(
            api_key=account.key.get_secret_value(),
            base_url=self.base_url or _PRODUCTION,  # else the SDK obeys CO_API_URL, unseen by the settings
            timeout=self.timeout_s,  # the SDK's own is 300 s
            max_retries=self.retries,
        )
        return CohereReranker(self, account, client)


class CohereReranker:
    def __init__(self, settings: CohereRerankerSettings, account: Account, client: cohere.ClientV2) -> None:
        self._settings = settings
        self._account = account
        self._client = client
        # The SDK leaves its connections open until somebody leaves it as a context.
        weakref.finalize(self, client.__exit__, None, None, None)

    @property
    def card(self) -> RerankerCard:
        return RerankerCard("cohere", self._settings.model)

    def score(self, question: Question, candidates: Sequence[Candidate]) -> Scores:
        """What exceeds one call is split: a score does not depend on the other documents of its call."""
        if not candidates:
            return Scores(())
        if not question.text.strip():
            raise InputError("An empty question cannot be ranked for.")
        documents = [reading(candidate.chunk, self._settings.fields) for candidate in candidates]
        starts = range(0, len(documents), _DOCUMENTS_PER_CALL)
        parts = [self._call(question.text, documents[at : at + _DOCUMENTS_PER_CALL]) for at in starts]
        return Scores(
            values=tuple(value for part in parts for value in part.values),
            units=sum(part.units for part in parts),
        )

    def _call(self, question: str, documents: Sequence[str]) -> Scores:
        with _cohere_errors(self._account):
            response: object = self._client.rerank(
                model=self._settings.model,
                query=question,
                documents=documents,
                request_options={"additional_body_parameters": self._limit()},
            )
            answer = TypeAdapter(_Answer).validate_python(response, from_attributes=True)
        by_index = {result.index: result.relevance_score for result in answer.results}
        if len(answer.results) != len(documents) or sorted(by_index) != list(range(len(documents))):
            raise self._account.nonsense(
                f"{len(answer.results)} scores for {len(documents)} documents, or wrong indexes"
            )
        for warning in answer.warnings():
            _log.warning("Cohere warns: %s", warning)
        return Scores(tuple(by_index[index] for index in range(len(documents))), units=answer.units())

    def _limit(self) -> dict[str, int]:
        limit = self._settings.max_tokens_per_doc
        return {} if limit is None else {"max_tokens_per_doc": limit}


class _Result(BaseModel):
    index: int
    relevance_score: FiniteFloat


class _BilledUnits(BaseModel):
    search_units: float | None = None


class _Meta(BaseModel):
    billed_units: _BilledUnits | None = None
    warnings: list[str] | None = None


class _Answer(BaseModel):
    results: list[_Result]
    meta: _Meta | None = None

    def units(self) -> float:
        billed = self.meta and self.meta.billed_units
        return (billed.search_units or 0.0) if billed else 0.0

    def warnings(self) -> list[str]:
        return (self.meta.warnings or []) if self.meta else []


@contextmanager
def _cohere_errors(account: Account) -> Iterator[None]:
    """All that the SDK may raise, told as one of ours."""
    import httpx
    from cohere.core.api_error import ApiError

    try:
        yield
    except httpx.TimeoutException as error:
        raise account.failure("did not answer in time") from error
    except httpx.HTTPError as error:
        raise account.failure(f"cannot be reached: {error}") from error
    except ApiError as error:
        raise _refusal(account, error) from error
    except (ValueError, TypeError) as error:  # the SDK builds its answer from any JSON, or stumbles over it
        raise account.nonsense(str(error)) from error


def _refusal(account: Account, error: ApiError) -> Exception:
    message = error.body.get("message") if isinstance(error.body, dict) else error.body
    if error.status_code is not None and error.status_code < 300:
        return account.nonsense(f"what came is not JSON: {message}")
    return account.failure(str(message), error.status_code)
