"""What an agent command says about itself: what it cost, and why it could not go on.

Only what the tool itself reports is believed, and only so far: a cost must be a finite number
that is not negative, and trouble with its provider only counts when the tool failed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from swarm.adapters.local.agents.settings import MICRO, Prices


class Trouble(StrEnum):
    """Why a tool says that it could not finish."""

    NONE = "none"
    CAPACITY = "capacity"  #: quota, rate limit, overload, no valid login: ask again later
    TURNS = "turns"  #: it used up its turns; that is its own failure
    MONEY = "money"  #: it reached the most it may cost
    ERROR = "error"  #: anything else


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One run in the tool's own words.

    cost: in micro-units; None when it told none. odd: what was refused in it, to be shown.
    """

    cost: int | None = None
    trouble: Trouble = Trouble.NONE
    detail: str = ""
    odd: str = ""


# Sources: the tools' own messages, as they appear in their documentation and issue threads.
_CAPACITY = re.compile(
    r"usage limit|hit your (?:[\w-]+ )?limit|limit reached|limit will reset|rate.?limit"
    r"|quota|too many requests|\b429\b|\b529\b|\b503\b|overloaded|credit balance|billing"
    r"|insufficient.?(?:funds|credits)|out of credits|spend(?:ing)? limit|resource.?exhausted"
    r"|invalid api key|api key not valid|incorrect api key|missing api key|no api key"
    r"|unauthori[sz]ed|\b401\b|authentication|please run /login|not logged in|login required"
    r"|token (?:has )?expired|could not connect|connection (?:error|refused|reset)"
    r"|service unavailable|network is unreachable|name resolution|enotfound|etimedout",
    re.IGNORECASE,
)


#: Places where a result of several lines may begin, from the end; each attempt costs as much as
#: what follows is long, and an agent can print any number of them.
_ATTEMPTS = 100

#: no login, no money, no permission, too many requests: RFC 9110 and RFC 6585
_REFUSED = frozenset({401, 402, 403, 429})
_SERVER_ERROR = 500


def is_capacity(message: str) -> bool:
    """True when a tool's error message speaks of its provider, not of the work."""
    return bool(_CAPACITY.search(message[:4000]))


def is_provider_status(value: object) -> bool:
    """True for an HTTP status that says no to the account or comes from a broken provider."""
    return isinstance(value, int) and (value in _REFUSED or value >= _SERVER_ERROR)


def failed(message: str) -> tuple[Trouble, str]:
    """The kind of trouble that an error message speaks of, and the message."""
    return (Trouble.CAPACITY if is_capacity(message) else Trouble.ERROR), message[:2000]


def money(value: object) -> tuple[int | None, str]:
    """A cost in whole units as micro-units; (None, why) for anything that cannot be one."""
    if value is None:
        return None, ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None, f"CostRefused: {value!r} is no number"
    if not 0 <= value <= MICRO:  # neither is NaN; and JSON spells integers that no float holds
        return None, f"CostRefused: {repr(value)[:60]} is no cost"
    return round(value * MICRO), ""


def tokens(value: object) -> int:
    """A count of tokens; 0 for anything that cannot be one."""
    fine = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**12
    return value if fine and isinstance(value, int) else 0


def priced(read: int, cached: int, written: int, prices: Prices) -> int | None:
    """What tokens cost by the configured prices; None without prices. `read` has no cached."""
    if not (prices.input or prices.cached or prices.output):
        return None
    total = read * prices.input + cached * prices.cached + written * prices.output
    return -(-total // MICRO)


def objects(text: str) -> Iterator[dict[str, Any]]:
    """The JSON objects among the lines of a text, other lines left out."""
    for line in text.splitlines():
        if line.startswith("{"):
            data = _parse(line)
            if isinstance(data, dict):
                yield data


def last_object(text: str) -> dict[str, Any]:
    """The one JSON object that a tool printed, perhaps after other lines; {} for none."""
    whole = _parse(text.strip())
    if isinstance(whole, list):
        whole = next((item for item in reversed(whole) if isinstance(item, dict)), None)
    if isinstance(whole, dict):
        return whole
    start = text.rfind("\n{")
    for _ in range(_ATTEMPTS):
        if start < 0:
            break
        tail = _parse(text[start + 1 :].strip())
        if isinstance(tail, dict):
            return tail
        start = text.rfind("\n{", 0, start)
    found = {}
    for found in objects(text):  # noqa: B007 - the last one counts
        pass
    return found


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def record(data: dict[str, Any], *path: str) -> dict[str, Any]:
    """The object at this place; {} when there is none."""
    here: Any = data
    for name in path:
        here = here.get(name) if isinstance(here, dict) else None
    return here if isinstance(here, dict) else {}


def words(value: object) -> str:
    """A text as it is; anything else as nothing."""
    return value if isinstance(value, str) else ""
