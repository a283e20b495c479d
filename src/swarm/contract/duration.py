"""Durations as people write them: the Go grammar without signs and without units below `ms`.

The API server parses these strings with Go's `time.ParseDuration` (through CEL's `duration`), so
the arithmetic here follows that function step by step, truncation included. Otherwise the two
places would disagree about strings such as `0.9999999999s` that lie next to a bound.
"""

from __future__ import annotations

import re
from datetime import timedelta

from swarm.contract.errors import InvalidDuration

PATTERN = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"
"""The whole grammar. It stands in the CRD as it stands here."""

MAX_LENGTH = 32
"""Characters. Long enough for every sensible span, short enough to bound the cost of CEL."""

_NANOSECONDS = {"ms": 1_000_000, "s": 1_000_000_000, "m": 60_000_000_000, "h": 3_600_000_000_000}
_LARGEST = (1 << 63) - 1  # Go holds a duration in a signed 64-bit count of nanoseconds
_WHOLE = re.compile(PATTERN.replace("$", r"\Z"))
_PART = re.compile(r"([0-9]+)(?:\.([0-9]+))?(ms|s|m|h)")
_RIGHT = "write whole or decimal numbers with ms, s, m or h, such as 5m, 90s, 1h30m or 0.5h"


def parse_nanoseconds(text: str) -> int:
    """The span that `text` names, in nanoseconds, cut as Go cuts it.

    text:    at most 32 characters of the grammar in `PATTERN`.
    returns: 0 to 2**63 - 1.
    errors:  InvalidDuration, for another grammar, a longer text, or more than about 292 years.
    """
    if len(text) > MAX_LENGTH:
        raise InvalidDuration(
            f"a duration has at most {MAX_LENGTH} characters, this one has {len(text)}", _RIGHT
        )
    if not _WHOLE.match(text):
        raise InvalidDuration(f"{text!r} is not a duration", _RIGHT)
    total = 0
    for whole, fraction, unit in _PART.findall(text):
        total += int(whole) * _NANOSECONDS[unit] + _fraction_nanoseconds(fraction, unit)
    if total > _LARGEST:
        raise InvalidDuration(
            f"{text!r} is longer than a duration can be", "write less than 2562047h (292 years)"
        )
    return total


def parse_duration(text: str) -> timedelta:
    """The span that `text` names, cut to whole microseconds.

    errors: InvalidDuration, see `parse_nanoseconds`.
    """
    return timedelta(microseconds=parse_nanoseconds(text) // 1_000)


def format_duration(span: timedelta) -> str:
    """The one canonical spelling: `1h30m`, `90s` becomes `1m30s`, nothing is `0m`.

    span:    not negative, less than 292 years; the spelling keeps its microseconds.
    errors:  InvalidDuration, for a span that the grammar cannot say.
    """
    microseconds = span // timedelta(microseconds=1)
    if microseconds < 0:
        raise InvalidDuration(f"{span} is negative", "a duration starts at 0m")
    if microseconds * 1_000 > _LARGEST:
        raise InvalidDuration(f"{span} is longer than a duration can be", "at most 292 years")
    hours, rest = divmod(microseconds, 3_600_000_000)
    minutes, rest = divmod(rest, 60_000_000)
    seconds, rest = divmod(rest, 1_000_000)
    milliseconds, rest = divmod(rest, 1_000)
    parts = [f"{n}{u}" for n, u in ((hours, "h"), (minutes, "m"), (seconds, "s")) if n]
    if rest:
        parts.append(f"{milliseconds}.{rest:03d}".rstrip("0") + "ms")
    elif milliseconds:
        parts.append(f"{milliseconds}ms")
    return "".join(parts) or "0m"


def _fraction_nanoseconds(digits: str, unit: str) -> int:
    """Nanoseconds of the digits behind the point, by Go's own floating-point formula."""
    if not digits:
        return 0
    # Go scales in float64 and cuts: `v += uint64(float64(f) * (float64(unit) / scale))`. At most
    # 30 digits fit the length limit; Go stops reading a fraction at 2**63 and so do we.
    value, scale = 0, 1.0
    for digit in digits:
        if value > _LARGEST // 10 or value * 10 + int(digit) > _LARGEST + 1:
            break
        value, scale = value * 10 + int(digit), scale * 10.0
    return int(float(value) * (float(_NANOSECONDS[unit]) / scale))
