"""Texts as Postgres can store them. Light: `swarmctl freeze` runs on it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from swarm.core.trail import canonical

NUL = "\\u0000"  #: as JSON spells it


def storable(text: str) -> str:
    """The text with what Postgres cannot store (NUL, lone surrogates) replaced by U+FFFD.

    Output of strange programs ends up in facts; losing a fact over one byte would be worse.
    """
    if NUL in text:
        text = canonical(_without_nul(json.loads(text)))
    if text.isascii():
        return text
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def plain(text: str) -> str:
    """A plain column's text made storable."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def digest(text: str) -> str:
    """SHA-256 of the text's UTF-8 bytes, 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, list):
        return [_without_nul(item) for item in value]
    if isinstance(value, dict):
        return {_without_nul(key): _without_nul(item) for key, item in value.items()}
    return value
