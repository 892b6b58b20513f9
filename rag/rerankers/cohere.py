"""Scores from Cohere's rerank endpoint, version 2, or from any server that speaks it."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, PositiveInt, TypeAdapter

from rag.parts import Parts
from rag.rerankers.base import Cost
from rag.rerankers.fields import as_yaml
from rag.rerankers.hosted import HostedSettings, Index, Score, check_question, in_order, sent
from rag.services.account import Account
from rag.services.bounds import Bounds, bounded
from rag.services.http import MOST_BYTES, open_client, remaining, retry_after
from rag.services.validation import first_problem
from rag.shown import in_line
from rag.types import Candidate, Question, RerankerCard, Scores

if TYPE_CHECKING:
    import cohere
    from cohere.core.api_error import ApiError

_log = logging.getLogger(__name__)

_DOCUMENTS_A_UNIT = 100


class CohereRerankerSettings(HostedSettings, frozen=True):
    provider: ClassVar[str] = "Cohere"
    address: ClassVar[str] = "https://api.cohere.com"
    variables: ClassVar[tuple[str, ...]] = ("CO_API_KEY", "COHERE_API_KEY")

    kind: Literal["cohere"]
    model: str = "rerank-v3.5"
    max_tokens_per_doc: PositiveInt | None = None

    def cost(self, candidates: int) -> Cost:
        """A unit is a hundred documents of one call; a document of more than 500 tokens counts as several."""
        whole, rest = divmod(candidates, self.documents_per_call)
        units = whole * -(-self.documents_per_call // _DOCUMENTS_A_UNIT) + -(-rest // _DOCUMENTS_A_UNIT)
        return Cost(super().cost(candidates).calls, units)

    def build(self, parts: Parts) -> CohereReranker:
        import cohere  # 0.5 s that nobody without this part should wait for

        account = self.account(parts.place)
        client = cohere.ClientV2(
            api_key=account.key.get_secret_value(),
            base_url=self.url(),  # else the SDK obeys CO_API_URL, unseen by the settings
            max_retries=0,  # its own know no deadline
            httpx_client=open_client(self.timeout_s),  # the SDK's own waits 300 s and follows redirects
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
        if not candidates:
            return Scores(())
        check_question(question)
        documents = [sent(as_yaml(candidate.chunk, self._settings.fields)) for candidate in candidates]
        seconds: Any = remaining(question.until, self._settings.timeout_s)  # the SDK declares an int
        with bounded(self._account, Bounds(seconds, MOST_BYTES)), _cohere_errors(self._account):
            response: object = self._client.rerank(
                model=self._settings.model,
                query=question.text,
                documents=documents,
                request_options={
                    "timeout_in_seconds": seconds,
                    "additional_body_parameters": self._limit(),
                },
            )
            answer = TypeAdapter(_Answer).validate_python(response, from_attributes=True)
            scored = [(result.index, result.relevance_score) for result in answer.results]
            values = in_order(scored, len(documents))
        for warning in answer.warnings():
            _log.warning("Cohere warns: %s", in_line(self._account.without_key(warning)))
        return Scores(values, units=answer.units())

    def _limit(self) -> dict[str, int]:
        limit = self._settings.max_tokens_per_doc
        return {} if limit is None else {"max_tokens_per_doc": limit}


class _Result(BaseModel):
    index: Index
    relevance_score: Score


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
        raise _refusal(account, error) from None  # its text shows what the service said, perhaps the key
    except ValueError as error:  # the SDK builds its answer from any JSON
        raise account.nonsense(first_problem(error)) from None
    except (TypeError, AttributeError, RecursionError) as error:  # or stumbles over it
        raise account.nonsense(str(error)) from error


def _refusal(account: Account, error: ApiError) -> Exception:
    message = error.body.get("message") if isinstance(error.body, dict) else error.body
    status, headers = error.status_code, error.headers or {}
    request = headers.get("x-request-id", "")
    if status is not None and status < 300:
        return account.nonsense(f"what came is not JSON: {message}", request)
    if status is not None and status < 400:
        where = headers.get("location", "elsewhere")
        message = f"it redirects to {where}, which is not followed: set base_url to it"
    return account.failure(str(message), status, retry_after=retry_after(headers), request=request)
