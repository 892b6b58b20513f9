from __future__ import annotations

import traceback
from typing import Any

import openai
import pytest
from pydantic import ValidationError
from support.servers.loopback import KEY, Fault
from support.servers.openai_server import OpenAIServer, Say

from rag.errors import ConfigError, ProtocolError, ServiceError, TransientError
from rag.generators.openai import OpenAIGenerator, OpenAIGeneratorSettings
from rag.types import Candidate, Chunk, Passage, Question, Reply

QUESTION = Question("When does the dome close?")
AT_ONCE = {"retry-after-ms": "1"}


def passage(text: str) -> Passage:
    chunk = Chunk("id", "doc", "a.md", 0, text, 0, len(text))
    return Passage(Candidate(chunk, rank=1, fused=1.0), score=1.0, logit=1.0, relevance=0.9, rank=1)


PASSAGES = [passage("The dome closes at 16 m/s."), passage("Soup is at noon.")]


def build(server: OpenAIServer, **settings: Any) -> OpenAIGenerator:
    given = {"api_key": KEY, "base_url": server.base_url, "retries": 0, "kind": "openai"} | settings
    return OpenAIGeneratorSettings.model_validate(given).build()


def streamed(generator: OpenAIGenerator) -> tuple[list[str], Reply]:
    *pieces, reply = generator.stream(QUESTION, PASSAGES)
    assert isinstance(reply, Reply)
    return [piece for piece in pieces if isinstance(piece, str)], reply


def whole_or_streamed(generator: OpenAIGenerator, stream: bool) -> Reply:
    return streamed(generator)[1] if stream else generator.generate(QUESTION, PASSAGES)


both_ways = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


# --- a good answer -------------------------------------------------------------------------


@both_ways
def test_the_reply_says_what_was_written_by_whom_and_what_it_cost(
    openai_server: OpenAIServer, stream: bool
) -> None:
    reply = whole_or_streamed(build(openai_server, model="gpt-x"), stream)
    assert reply.text == "“The dome closes at 16 m/s.” [1]"
    assert (reply.written_by, reply.finish, reply.notice) == ("openai:gpt-x", "stop", "")
    assert reply.prompt_tokens is not None
    assert reply.prompt_tokens > 100
    assert reply.completion_tokens == 9


def test_the_model_reads_exactly_the_passages_and_the_question(openai_server: OpenAIServer) -> None:
    build(openai_server).generate(QUESTION, PASSAGES)
    (request,) = openai_server.requests
    system, user = request.body["messages"]
    assert (system["role"], user["role"]) == ("system", "user")
    assert "[2] a.md\n\nSoup is at noon." in user["content"]
    assert user["content"].endswith("Question: When does the dome close?")


def test_a_stream_comes_in_pieces_that_make_the_whole(openai_server: OpenAIServer) -> None:
    pieces, reply = streamed(build(openai_server))
    assert len(pieces) > 3
    assert "".join(pieces) == reply.text


def test_a_server_that_ignores_the_wish_for_usage_still_answers(openai_server: OpenAIServer) -> None:
    openai_server.plan(Say("Yes [1].", with_usage=False))
    _, reply = streamed(build(openai_server))
    assert (reply.text, reply.prompt_tokens, reply.notice) == ("Yes [1].", None, "")


def test_a_server_that_refuses_stream_options_is_not_sent_any(openai_server: OpenAIServer) -> None:
    streamed(build(openai_server, stream_usage=False))
    assert "stream_options" not in openai_server.requests[0].body


def test_settings_reach_the_service(openai_server: OpenAIServer) -> None:
    build(openai_server, model="m", temperature=0.5, max_tokens=7, template="only {{ question }}").generate(
        QUESTION, PASSAGES
    )
    body = openai_server.requests[0].body
    assert body == {
        "model": "m",
        "temperature": 0.5,
        "max_tokens": 7,
        "messages": [{"role": "user", "content": f"only {QUESTION.text}"}],
    }


def test_an_empty_temperature_leaves_it_to_the_model(openai_server: OpenAIServer) -> None:
    build(openai_server, temperature=None).generate(QUESTION, PASSAGES)
    assert "temperature" not in openai_server.requests[0].body


# --- a half answer, and none ---------------------------------------------------------------


@both_ways
@pytest.mark.parametrize(
    ("say", "finish", "words"),
    [
        (Say("Cut of", finish="length"), "length", "cut at generator.max_tokens=600"),
        (Say("Cut of", finish="content_filter"), "content_filter", "content filter"),
        (Say(None, refusal="I cannot help."), "refusal", "declined"),
        (Say("Yes", finish=None), "unknown", "may be incomplete"),
    ],
)
def test_an_answer_that_is_not_whole_carries_a_notice(
    openai_server: OpenAIServer, stream: bool, say: Say, finish: str, words: str
) -> None:
    openai_server.plan(say)
    reply = whole_or_streamed(build(openai_server), stream)
    assert reply.finish == finish
    assert words in reply.notice
    assert reply.text == (say.content or say.refusal)


@both_ways
@pytest.mark.parametrize(
    ("say", "words"),
    [
        (Say(None, finish="length"), "raise generator.max_tokens"),
        (Say(None, finish="content_filter"), "content filter"),
        (Say(None), "wrote no text (finish_reason stop)"),
        (Say(" \n", finish="tool_calls"), "wrote no text (finish_reason tool_calls)"),
    ],
)
def test_no_text_at_all_is_an_error_that_says_why(
    openai_server: OpenAIServer, stream: bool, say: Say, words: str
) -> None:
    openai_server.plan(say)
    with pytest.raises(ServiceError) as caught:
        whole_or_streamed(build(openai_server), stream)
    assert words in str(caught.value)
    assert not isinstance(caught.value, TransientError)


@both_ways
def test_a_server_that_cut_the_context_is_found_out(openai_server: OpenAIServer, stream: bool) -> None:
    openai_server.plan(Say("Yes [1].", prompt_tokens=512))
    passages = [passage("The dome closes at 16 m/s. " * 200)]
    generator = build(openai_server)
    reply = [*generator.stream(QUESTION, passages)][-1] if stream else generator.generate(QUESTION, passages)
    assert isinstance(reply, Reply)
    assert "read 512 tokens of a prompt of about 1" in reply.notice


def test_a_server_that_does_not_count_tokens_is_not_suspected(openai_server: OpenAIServer) -> None:
    openai_server.plan(Say("Yes [1].", prompt_tokens=0))
    reply = build(openai_server).generate(QUESTION, PASSAGES)
    assert (reply.prompt_tokens, reply.notice) == (None, "")


def test_long_runs_of_spaces_are_not_taken_for_lost_context(openai_server: OpenAIServer) -> None:
    openai_server.plan(Say("Yes [1].", prompt_tokens=400))
    reply = build(openai_server).generate(QUESTION, [passage("a" + " " * 50_000 + "b")])
    assert reply.notice == ""


# --- refusals ------------------------------------------------------------------------------


def error(message: str, code: str | None = None) -> dict[str, object]:
    return {"error": {"message": message, "type": "some_error", "param": None, "code": code}}


@both_ways
@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (Fault(400, error("no such parameter")), ServiceError, ["400", "no such parameter"]),
        (Fault(403, error("not yours")), ServiceError, ["403", "not yours", "RAG_GENERATOR__API_KEY"]),
        (Fault(404, error("no model m")), ServiceError, ["404", "no model m", "model's name and base_url"]),
        (Fault(429, error("you pay first", "insufficient_quota")), ServiceError, ["429", "you pay first"]),
        (Fault(429, error("slow down", "rate_limit_exceeded")), TransientError, ["429", "slow down"]),
        (Fault(500, error("oops")), TransientError, ["500", "oops"]),
        (Fault(503, "<html>busy</html>"), TransientError, ["503"]),
    ],
)
def test_a_refusal_says_who_refused_why_and_what_to_do(
    openai_server: OpenAIServer, stream: bool, fault: Fault, kind: type[ServiceError], words: list[str]
) -> None:
    openai_server.plan(fault)
    with pytest.raises(ServiceError) as caught:
        whole_or_streamed(build(openai_server), stream)
    assert type(caught.value) is kind
    assert caught.value.status == fault.status
    for word in ["OpenAI-compatible server at 127.0.0.1", *words]:
        assert word in str(caught.value)


@both_ways
def test_a_wrong_key_is_permanent_and_never_shown(openai_server: OpenAIServer, stream: bool) -> None:
    wrong = "sk-wrong-0123456789abcdef"
    generator = build(openai_server, api_key=wrong, retries=2)
    with pytest.raises(ServiceError, match="Check the key in RAG_GENERATOR__API_KEY") as caught:
        whole_or_streamed(generator, stream)
    assert type(caught.value) is ServiceError
    assert wrong not in "".join(traceback.format_exception(caught.value)) + repr(caught.value)


def test_a_server_that_echoes_the_key_does_not_get_it_into_the_message(openai_server: OpenAIServer) -> None:
    openai_server.plan(Fault(400, error(f"bad header Bearer {KEY}")))
    with pytest.raises(ServiceError, match=r"bad header Bearer \[key\]") as caught:
        build(openai_server).generate(QUESTION, PASSAGES)
    assert KEY not in str(caught.value)


def test_a_page_of_html_as_error_is_cut_short(openai_server: OpenAIServer) -> None:
    openai_server.plan(Fault(400, error("x" * 10_000)))
    with pytest.raises(ServiceError) as caught:
        build(openai_server).generate(QUESTION, PASSAGES)
    assert len(str(caught.value)) < 500


@both_ways
def test_a_passing_fault_is_tried_again(openai_server: OpenAIServer, stream: bool) -> None:
    openai_server.plan(Fault(503, error("busy"), AT_ONCE), Fault(429, error("slow"), AT_ONCE))
    assert whole_or_streamed(build(openai_server, retries=2), stream).finish == "stop"
    assert len(openai_server.requests) == 3


def test_retries_end_when_the_settings_say_so(openai_server: OpenAIServer) -> None:
    openai_server.plan(Fault(503, error("busy"), AT_ONCE), Fault(503, error("busy"), AT_ONCE))
    with pytest.raises(TransientError):
        build(openai_server, retries=1).generate(QUESTION, PASSAGES)
    assert len(openai_server.requests) == 2


@both_ways
def test_a_server_that_hangs_is_given_up_in_time(openai_server: OpenAIServer, stream: bool) -> None:
    openai_server.plan(Fault(hang=True))
    with pytest.raises(TransientError, match="did not answer in time"):
        whole_or_streamed(build(openai_server, timeout_s=0.2), stream)


def test_a_server_that_is_not_there_is_transient() -> None:
    settings = OpenAIGeneratorSettings(kind="openai", base_url="http://127.0.0.1:9/v1", retries=0)
    with pytest.raises(TransientError, match=r"127\.0\.0\.1:9 cannot be reached"):
        settings.build().generate(QUESTION, PASSAGES)


@pytest.mark.parametrize(
    "body", ["no json", "[1]", "null", '"text"', {}, {"choices": []}, {"choices": None}, {"choices": [{}]}]
)
def test_a_200_that_is_no_completion_breaks_the_contract(openai_server: OpenAIServer, body: object) -> None:
    openai_server.plan(Fault(200, body))
    with pytest.raises(ProtocolError, match="against its contract"):
        build(openai_server).generate(QUESTION, PASSAGES)


@pytest.mark.parametrize("data", ["no json", "{}", '{"choices": null}', "1"])
def test_a_stream_of_something_else_breaks_the_contract(openai_server: OpenAIServer, data: str) -> None:
    openai_server.plan(Fault(200, f"data: {data}\n\n", {"content-type": "text/event-stream"}))
    with pytest.raises(ProtocolError, match="against its contract"):
        streamed(build(openai_server))


def test_a_stream_that_breaks_off_is_told_in_the_notice(openai_server: OpenAIServer) -> None:
    openai_server.plan(Say("It closes at 16", ends=False))
    _, reply = streamed(build(openai_server))
    assert reply.text == "It closes at 16"
    assert (reply.finish, reply.notice) == (
        "unknown",
        "The reply ended without saying why; it may be incomplete.",
    )


@pytest.mark.parametrize(
    ("code", "kind"),
    [("server_error", TransientError), ("400", ServiceError), ("insufficient_quota", ServiceError)],
)
def test_an_error_in_mid_stream_is_an_error(
    openai_server: OpenAIServer, code: str, kind: type[ServiceError]
) -> None:
    openai_server.plan(Say("It closes", error={"message": "out of memory", "code": code}))
    with pytest.raises(ServiceError, match="out of memory") as caught:
        streamed(build(openai_server))
    assert type(caught.value) is kind


# --- settings ------------------------------------------------------------------------------


def test_the_key_may_stand_in_the_environment(
    openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f" {KEY}\n")
    named = build(openai_server, api_key=None, key_env="OPENAI_API_KEY")
    assert named.generate(QUESTION, PASSAGES).finish == "stop"


def test_an_empty_account_is_not_asked_again(openai_server: OpenAIServer) -> None:
    gone = {"error": {"message": "You exceeded your quota", "type": "insufficient_quota", "code": None}}
    openai_server.plan(Fault(429, gone), Fault(429, gone))
    with pytest.raises(ServiceError, match="credit and billing") as caught:
        build(openai_server, retries=2).generate(QUESTION, PASSAGES)
    assert caught.value.hopeless
    assert len(openai_server.requests) == 1


def test_a_redirect_is_not_followed_with_the_key(openai_server: OpenAIServer) -> None:
    openai_server.plan(Fault(307, {}, {"location": f"{openai_server.base_url}/chat/completions?elsewhere"}))
    with pytest.raises(ServiceError, match="307"):
        build(openai_server).generate(QUESTION, PASSAGES)
    assert len(openai_server.requests) == 1


def test_openais_key_is_not_sent_to_another_host(
    openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with pytest.raises(ServiceError, match="401"):
        build(openai_server, api_key=None).generate(QUESTION, PASSAGES)


def test_a_key_with_a_line_break_inside_is_refused_without_being_shown(openai_server: OpenAIServer) -> None:
    with pytest.raises(ConfigError, match="characters that no key has") as caught:
        build(openai_server, api_key="secret-a\nsecret-b")
    assert "secret" not in str(caught.value)


def test_another_server_may_want_no_key(openai_server: OpenAIServer) -> None:
    with pytest.raises(ServiceError, match="Incorrect API key"):
        build(openai_server, api_key=None).generate(QUESTION, PASSAGES)


def test_an_address_in_the_environment_does_not_redirect_the_part(
    openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    build(openai_server).generate(QUESTION, PASSAGES)
    assert len(openai_server.requests) == 1


@pytest.mark.parametrize(
    "wrong",
    [{"temperature": -1}, {"max_tokens": 0}, {"base_url": "localhost:8000"}, {"modle": "m"}, {"retries": -1}],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        OpenAIGeneratorSettings.model_validate({"kind": "openai"} | wrong)


@pytest.mark.parametrize(
    "template",
    ["{{ qestion }}", "{% for p in passages %}{{ p.qestion }}{% endfor %}"],
    ids=["plain", "in a loop"],
)
def test_a_broken_template_fails_when_built(openai_server: OpenAIServer, template: str) -> None:
    with pytest.raises(ConfigError, match=r"line 1.*qestion"):
        build(openai_server, template=template)


def test_a_template_may_count_on_a_passage(openai_server: OpenAIServer) -> None:
    generator = build(openai_server, template="{{ passages[0].text }}")
    assert generator.generate(QUESTION, PASSAGES).finish == "stop"


def test_the_key_stays_out_of_every_repr(openai_server: OpenAIServer) -> None:
    settings = OpenAIGeneratorSettings.model_validate({"kind": "openai", "api_key": KEY})
    generator = build(openai_server)
    shown = repr([settings, settings.model_dump(), vars(generator), generator.name])
    assert KEY not in shown + settings.model_dump_json()


# --- the server enforces the contract ------------------------------------------------------


@pytest.mark.parametrize(
    "extra", [{"top_k": 3}, {"max_tokens": 1, "max_completion_tokens": 1}, {"stream_options": {}}]
)
def test_the_server_refuses_what_openai_refuses(
    openai_server: OpenAIServer, extra: dict[str, object]
) -> None:
    client = openai.OpenAI(api_key=KEY, base_url=openai_server.base_url, max_retries=0)
    with client, pytest.raises(openai.BadRequestError):
        client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "hello"}], extra_body=extra
        )
