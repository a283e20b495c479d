"""What an unquoted YAML word means, as `kubectl` reads it.

`kubectl` turns YAML into JSON with Go's yaml.v2 rules, and the API server only ever sees that JSON.
PyYAML differs: it reads `1:30` as 90, `2026-01-01` as a date and `1e3` as a text.
"""

from __future__ import annotations

import re

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"})
_FALSE = frozenset({"n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"})
_INTEGER = re.compile(r"[-+]?(0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|0[0-7_]*|[1-9][0-9_]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"([-+]?)\.(inf|Inf|INF)")
_NOT_A_NUMBER = frozenset({".nan", ".NaN", ".NAN"})
_DIGITS_MAX = 40  # longer than any 64-bit number in any base but two; Go makes those floats too


def plain_value(word: str) -> str | int | float | bool | None:
    """The JSON value of an unquoted word; infinities and NaN are given back as such."""
    if word in _NULLS:
        return None
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    if word in _NOT_A_NUMBER:
        return float("nan")
    if infinite := _INFINITE.fullmatch(word):
        return float(f"{infinite[1]}inf")
    if len(word) <= _DIGITS_MAX and _INTEGER.fullmatch(word):
        return _integer(word)
    if _FLOAT.fullmatch(word):
        return float(word)
    return word


def _integer(word: str) -> int:
    digits = word.replace("_", "").lower()
    body = digits.lstrip("+-")
    if len(body) > 1 and body[0] == "0" and body[1].isdigit():
        return int(digits, 8)  # Go reads 0755 in base eight, and so did YAML 1.1
    return int(digits, 0)
