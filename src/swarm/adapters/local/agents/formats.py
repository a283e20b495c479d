"""Reads what the usual agent commands print about their own run. Pure: text in, report out.

Nothing here is trusted to say that the work is good: that is for the difference and the checks.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from swarm.adapters.local.agents import report
from swarm.adapters.local.agents.report import Report, Trouble
from swarm.adapters.local.agents.settings import Format, Prices

Reader = Callable[[str, str, int | None, Prices], Report]
"""(standard output, standard error, exit code or None while it runs, prices) -> report."""


def nothing(_out: str, _err: str, _code: int | None, _prices: Prices) -> Report:
    """A command that says nothing about itself."""
    return Report()


def claude(out: str, err: str, code: int | None, _prices: Prices) -> Report:
    """One object of type `result`, alone or as the last line of a stream.

    Source: code.claude.com, "Run Claude Code programmatically": subtype, is_error, result,
    total_cost_usd, api_error_status (HTTP status of a failed request, newer releases).
    """
    data = report.last_object(out)
    if data.get("type") != "result":
        return _unreadable(err, code)
    cost, odd = report.money(data.get("total_cost_usd"))
    subtype = report.words(data.get("subtype"))
    errors = data.get("errors")
    said = report.words(data.get("result")) or "; ".join(
        item for item in (errors if isinstance(errors, list) else ()) if isinstance(item, str)
    )
    trouble, detail = Trouble.NONE, ""
    if subtype == "error_max_turns":
        trouble, detail = Trouble.TURNS, "TurnLimit: the agent used up its turns"
    elif subtype == "error_max_budget_usd":
        trouble, detail = Trouble.MONEY, "CostCapExceeded: the agent stopped at its budget"
    elif data.get("is_error") is True or subtype.startswith("error"):
        trouble, detail = report.failed(said or subtype or err[-500:])
        if report.is_provider_status(data.get("api_error_status")):
            trouble = Trouble.CAPACITY
    return Report(cost=cost, trouble=trouble, detail=detail, odd=odd)


def codex(out: str, err: str, code: int | None, prices: Prices) -> Report:
    """Events, one a line. The usage of `turn.completed` is the total so far, so the last counts.

    Source: openai/codex, `codex exec --json`: turn.completed, turn.failed, error.
    """
    usage: dict[str, object] = {}
    failure, ended_well = "", False
    for event in report.objects(out):
        kind = event.get("type")
        if kind == "turn.completed":
            usage, ended_well = report.record(event, "usage"), True
        elif kind == "turn.failed":
            failure = report.words(report.record(event, "error").get("message")) or "turn failed"
            ended_well = False
        elif kind == "error":
            # Also written for a connection that is tried again, so it only counts at the end.
            failure = failure or report.words(event.get("message"))
    read, cached = (report.tokens(usage.get(n)) for n in ("input_tokens", "cached_input_tokens"))
    written = report.tokens(usage.get("output_tokens"))
    cost = report.priced(max(0, read - cached), cached, written, prices) if usage else None
    if ended_well or code is None:
        return Report(cost=cost)
    if not failure:
        return _unreadable(err, code, cost=cost)
    trouble, detail = report.failed(failure)
    return Report(cost=cost, trouble=trouble, detail=detail)


def opencode(out: str, err: str, code: int | None, _prices: Prices) -> Report:
    """Events, one a line. Each `step_finish` tells the cost of its own step; they add up.

    An `error` event means failure whatever the exit code says.
    """
    total, odd, failure, told = 0, "", "", False
    for event in report.objects(out):
        if event.get("type") == "step_finish":
            cost, wrong = report.money(report.record(event, "part").get("cost"))
            odd = odd or wrong
            told = told or cost is not None
            total += cost or 0
        elif event.get("type") == "error":
            error = report.record(event, "error")
            data = report.record(error, "data")
            parts = (error.get("name"), data.get("statusCode"), data.get("message"))
            failure = " ".join(str(part) for part in parts if isinstance(part, str | int))
    known = total if told and not odd else None
    if failure and code is not None:
        trouble, detail = report.failed(failure)
        return Report(cost=known, trouble=trouble, detail=detail, odd=odd)
    if code:
        return _unreadable(err, code, cost=known)
    return Report(cost=known, odd=odd)


#: google-gemini/gemini-cli, packages/core/src/utils/errors.ts
_GEMINI_LOGIN, _GEMINI_SANDBOX, _GEMINI_SETTINGS, _GEMINI_TURNS = 41, 44, 52, 53


def gemini(out: str, err: str, code: int | None, prices: Prices) -> Report:
    """One object with `response`, `stats.models.*.tokens` and, after a failure, `error`.

    Exit code 53 is the turn limit: the agent's own failure. 41, 44 and 52 (login, sandbox,
    settings) are the installation's.
    """
    data = report.last_object(out) or report.last_object(err)
    read = cached = written = 0
    for model in report.record(data, "stats", "models").values():
        used = report.record(model, "tokens") if isinstance(model, dict) else {}
        cached += report.tokens(used.get("cached"))
        read += max(0, report.tokens(used.get("prompt")) - report.tokens(used.get("cached")))
        written += report.tokens(used.get("candidates")) + report.tokens(used.get("thoughts"))
    cost = report.priced(read, cached, written, prices) if read + cached + written else None
    error = report.record(data, "error")
    said = report.words(error.get("message")) or err[-1000:]
    if code == _GEMINI_TURNS:
        detail = "TurnLimit: the agent used up its turns"
        return Report(cost=cost, trouble=Trouble.TURNS, detail=detail)
    if code in {_GEMINI_LOGIN, _GEMINI_SANDBOX, _GEMINI_SETTINGS}:
        return Report(cost=cost, trouble=Trouble.CAPACITY, detail=f"exit code {code}: {said}")
    if error or code:
        trouble, detail = report.failed(said)
        return Report(cost=cost, trouble=trouble, detail=detail)
    return Report(cost=cost)


_AIDER_COST = re.compile(
    r"^(?:> )?Tokens: .*Cost: \$[\d.,]+ message, \$([\d.,]+) session", re.MULTILINE
)
_AIDER_ERROR = re.compile(
    r"^(?:> )?(?:litellm\.|openai\.|anthropic\.)\w*(?:Error|Exception)\b.*", re.MULTILINE
)


def aider(out: str, err: str, code: int | None, _prices: Prices) -> Report:
    """Lines for people: `Tokens: 12k sent, 133 received. Cost: $0.04 message, $0.10 session.`

    The session's cost is the total so far. Errors of its provider are lines that begin with the
    library's exception; it may still end with 0.
    """
    hits = _AIDER_COST.findall(out)
    cost = None
    if hits:
        try:
            cost, _odd = report.money(float(hits[-1].rstrip(".").replace(",", "")))
        except ValueError:
            cost = None
    # It tries again by itself; an error counts when no answer came after it.
    last = out.rfind("\nTokens: ")
    errors = [hit.group() for hit in _AIDER_ERROR.finditer(out) if hit.start() > last]
    errors += [hit.group() for hit in _AIDER_ERROR.finditer(err) if last < 0]
    if errors and code is not None:
        trouble, detail = report.failed(errors[-1])
        return Report(cost=cost, trouble=trouble, detail=detail)
    return _unreadable(err, code, cost=cost) if code else Report(cost=cost)


def _unreadable(err: str, code: int | None, *, cost: int | None = None) -> Report:
    """The tool failed before it could print its result; then its last words may say why."""
    if not code:
        return Report(cost=cost)
    trouble, detail = report.failed(err[-1000:].strip())
    return Report(cost=cost, trouble=trouble, detail=detail)


#: What the lines hold in which a tool tells its cost while it works; others tell it at the end.
COST_LINES: dict[Format, str] = {Format.OPENCODE: '"step_finish"', Format.AIDER: "Tokens: "}

READERS: dict[Format, Reader] = {
    Format.NONE: nothing,
    Format.CLAUDE: claude,
    Format.CODEX: codex,
    Format.OPENCODE: opencode,
    Format.GEMINI: gemini,
    Format.AIDER: aider,
}
