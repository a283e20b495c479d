"""What agent commands print about themselves, in their own formats."""

from __future__ import annotations

import json
import time

import pytest

from swarm.adapters.local.agents.formats import READERS
from swarm.adapters.local.agents.report import Trouble
from swarm.adapters.local.agents.settings import Format, Prices

PRICES = Prices(input=1_250_000, cached=125_000, output=10_000_000)


def read(kind: Format, out: str = "", code: int = 0, err: str = "", prices: Prices = PRICES):
    return READERS[kind](out, err, code, prices)


def claude(**over):
    fields = {
        "type": "result",
        "subtype": "success",
        "is_error": False,
        "result": "Done.",
        "num_turns": 4,
        "total_cost_usd": 0.0421,
        "usage": {"input_tokens": 12, "output_tokens": 400},
    }
    return json.dumps(fields | over)


def test_claude_tells_its_cost():
    said = read(Format.CLAUDE, claude())
    assert (said.cost, said.trouble) == (42_100, Trouble.NONE)


@pytest.mark.parametrize(
    "out",
    [
        pytest.param("warning: something\n" + claude(), id="after-a-warning"),
        pytest.param('{"type":"system"}\n{"type":"assistant"}\n' + claude(), id="stream-json"),
        pytest.param('[{"type":"system"},' + claude() + "]", id="verbose-list"),
        pytest.param(json.dumps(json.loads(claude()), indent=2), id="many-lines"),
    ],
)
def test_claude_is_understood_in_all_its_shapes(out):
    assert read(Format.CLAUDE, out).cost == 42_100


@pytest.mark.parametrize(
    ("over", "trouble"),
    [
        ({"result": "Claude AI usage limit reached|1753077600"}, Trouble.CAPACITY),
        ({"result": "You've hit your limit · resets 7pm (America/Los_Angeles)"}, Trouble.CAPACITY),
        ({"result": "Credit balance is too low"}, Trouble.CAPACITY),
        ({"result": "Invalid API key · Please run /login"}, Trouble.CAPACITY),
        ({"result": 'API Error: 529 {"type":"overloaded_error"}'}, Trouble.CAPACITY),
        ({"result": "API Error: 429 rate_limit_error"}, Trouble.CAPACITY),
        ({"subtype": "error_max_turns", "result": None}, Trouble.TURNS),
        ({"subtype": "error_max_budget_usd"}, Trouble.MONEY),
        ({"subtype": "error_during_execution", "result": None}, Trouble.ERROR),
        ({"result": "The prompt is too long"}, Trouble.ERROR),
        ({"result": "The request failed", "api_error_status": 500}, Trouble.CAPACITY),
        ({"result": "The request failed", "api_error_status": 402}, Trouble.CAPACITY),
        ({"result": "The request failed", "api_error_status": 400}, Trouble.ERROR),
        ({"result": "The request failed", "api_error_status": [500]}, Trouble.ERROR),
    ],
)
def test_claude_trouble_is_told_apart(over, trouble):
    assert read(Format.CLAUDE, claude(is_error=True, **over), 1).trouble is trouble


def test_what_an_agent_writes_about_limits_is_no_capacity_trouble():
    """Only an error of the tool itself counts; a model could write these words at any time."""
    said = read(Format.CLAUDE, claude(result="I fixed the rate limit: usage limit reached, 429."))
    assert said.trouble is Trouble.NONE


@pytest.mark.parametrize("cost", [-5, float("nan"), float("inf"), "0.1", True, 10**9])
def test_a_cost_that_cannot_be_one_is_refused(cost):
    said = read(Format.CLAUDE, claude(total_cost_usd=cost))
    assert said.cost is None
    assert said.odd.startswith("CostRefused")


def codex(*events):
    return "\n".join(json.dumps(event) for event in events)


USAGE = {"input_tokens": 24_763, "cached_input_tokens": 24_448, "output_tokens": 122}


def test_codex_tokens_are_priced_and_counted_once():
    """Its usage is the total so far: counting every event would pay for the past again."""
    early = {**USAGE, "output_tokens": 50}
    out = codex(
        {"type": "thread.started", "thread_id": "t"},
        {"type": "turn.completed", "usage": early},
        {"type": "turn.completed", "usage": USAGE},
    )
    said = read(Format.CODEX, out)
    # 315 x 1.25 + 24448 x 0.125 + 122 x 10 micro-units, rounded up
    assert (said.cost, said.trouble) == (4670, Trouble.NONE)
    assert read(Format.CODEX, out, prices=Prices()).cost is None


def test_codex_quota_is_capacity_and_a_reconnect_is_nothing():
    limit = "You've hit your usage limit. To get more access now, try again at 12:16 PM."
    out = codex(
        {"type": "turn.started"},
        {"type": "error", "message": limit},
        {"type": "turn.failed", "error": {"message": limit}},
    )
    assert read(Format.CODEX, out, 1).trouble is Trouble.CAPACITY
    fine = codex(
        {"type": "error", "message": "Reconnecting... 1/5"},
        {"type": "turn.completed", "usage": USAGE},
    )
    assert read(Format.CODEX, fine).trouble is Trouble.NONE


def test_codex_failure_of_the_work_is_no_capacity():
    out = codex({"type": "turn.failed", "error": {"message": "context window exceeded"}})
    assert read(Format.CODEX, out, 1).trouble is Trouble.ERROR


def step(cost, reason="tool-calls"):
    return {"type": "step_finish", "part": {"type": "step-finish", "reason": reason, "cost": cost}}


def test_opencode_adds_its_steps_up():
    said = read(Format.OPENCODE, codex(step(0.01), {"type": "text"}, step(0.025, "stop")))
    assert (said.cost, said.trouble) == (35_000, Trouble.NONE)


def test_opencode_error_counts_whatever_the_exit_code():
    error = {"name": "APIError", "data": {"message": "Rate limit exceeded", "statusCode": 429}}
    said = read(Format.OPENCODE, codex(step(0.01), {"type": "error", "error": error}), 0)
    assert (said.cost, said.trouble) == (10_000, Trouble.CAPACITY)
    login = {"type": "error", "error": {"name": "ProviderAuthError", "data": {"message": "x"}}}
    assert read(Format.OPENCODE, codex(login), 1).trouble is Trouble.ERROR


def test_opencode_negative_step_makes_the_cost_unknown():
    said = read(Format.OPENCODE, codex(step(0.5), step(-0.5)))
    assert said.cost is None
    assert said.odd.startswith("CostRefused")


def gemini(**over):
    tokens = {
        "prompt": 24_939,
        "candidates": 20,
        "total": 25_113,
        "cached": 21_263,
        "thoughts": 154,
    }
    return json.dumps({"response": "ok", "stats": {"models": {"pro": {"tokens": tokens}}}} | over)


@pytest.mark.parametrize(
    ("code", "trouble"),
    [
        pytest.param(53, Trouble.TURNS, id="turn-limit-is-its-own-failure"),
        pytest.param(41, Trouble.CAPACITY, id="login"),
        pytest.param(52, Trouble.CAPACITY, id="settings"),
        pytest.param(42, Trouble.ERROR, id="input"),
        pytest.param(1, Trouble.ERROR, id="general"),
        pytest.param(0, Trouble.NONE, id="fine"),
    ],
)
def test_gemini_exit_codes(code, trouble):
    said = read(Format.GEMINI, gemini(), code)
    assert said.trouble is trouble
    # 3676 x 1.25 + 21263 x 0.125 + 174 x 10 micro-units, rounded up
    assert said.cost == 8993


def test_gemini_quota_on_standard_error_is_capacity():
    error = {"error": {"type": "Error", "message": "Resource exhausted: quota", "code": 429}}
    assert read(Format.GEMINI, "", 1, json.dumps(error)).trouble is Trouble.CAPACITY


def test_aider_session_cost_is_the_last_one():
    out = (
        "Tokens: 12k sent, 133 received. Cost: $0.04 message, $0.04 session.\n"
        "Applied edit to x.py\n"
        "Tokens: 14k sent, 1.2k cache write, 80 received. Cost: $0.06 message, $1,000.10 session."
    )
    assert read(Format.AIDER, out).cost == 1_000_100_000


def test_aider_error_counts_when_no_answer_came_after_it():
    error = "litellm.RateLimitError: AnthropicException - rate limited\nRetrying in 0.2 seconds\n"
    answer = "\nTokens: 1k sent, 1 received. Cost: $0.01 message, $0.01 session.\n"
    assert read(Format.AIDER, error).trouble is Trouble.CAPACITY
    assert read(Format.AIDER, error + answer).trouble is Trouble.NONE


@pytest.mark.parametrize("kind", [kind for kind in Format if kind is not Format.NONE])
@pytest.mark.parametrize(
    "out",
    ["", "{", "null", "[]", "[" * 5000, '{"type": 1, "error": [], "stats": 3}', "\x00\xff" * 50],
    ids=["empty", "cut", "null", "list", "deep", "wrong-types", "binary"],
)
def test_garbage_is_an_error_after_a_failure_and_nothing_otherwise(kind, out):
    assert read(kind, out, 1, "segmentation fault").trouble is Trouble.ERROR
    assert read(kind, out, 0).cost is None
    assert read(kind, out, 1, "Error: connection refused").trouble is Trouble.CAPACITY


def test_a_plain_command_reports_nothing():
    said = read(Format.NONE, "usage limit reached", 1)
    assert (said.cost, said.trouble) == (None, Trouble.NONE)


@pytest.mark.parametrize("errors", [5, True, 1.5, {"a": 1}])
def test_errors_that_are_no_list_tell_nothing_and_end_nothing(errors):
    """Who asked for the run would take it for our own fault, and ask again for ever."""
    said = read(Format.CLAUDE, claude(result=None, is_error=True, errors=errors), code=1)
    assert said.trouble is Trouble.ERROR


@pytest.mark.parametrize("kind", [Format.CLAUDE, Format.OPENCODE])
def test_a_cost_that_no_float_holds_is_refused(kind):
    step = json.dumps({"type": "step_finish", "part": {"cost": 10**400}})
    said = read(kind, claude(total_cost_usd=10**400) if kind is Format.CLAUDE else step)
    assert said.cost is None
    assert said.odd.startswith("CostRefused: 1000")


def test_a_result_is_found_among_lines_that_only_begin_like_one():
    """An agent can print a million of them, and each was once read to the end."""
    begun = time.process_time()
    noise = "{\n" * 500_000
    assert read(Format.CLAUDE, noise + claude()).cost == 42_100
    assert read(Format.CLAUDE, claude() + "\n" + noise).cost == 42_100
    assert time.process_time() - begun < 10
