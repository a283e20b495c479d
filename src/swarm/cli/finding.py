"""One thing that `doctor` looked at: how it is, and what mends it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How serious it is."""

    OK = "ok"  #: as it should be
    NOTE = "note"  #: works without it, but something is missing or off
    FAULT = "fault"  #: something will not work until it is mended


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """check: what was looked at; fix: what mends it, empty only where nothing is wrong."""

    check: str
    level: Level
    message: str
    fix: str = ""


def ok(check: str, message: str) -> Finding:
    """It is as it should be."""
    return Finding(check=check, level=Level.OK, message=message)


def note(check: str, message: str, fix: str) -> Finding:
    """Worth knowing; nothing stands still for it."""
    return Finding(check=check, level=Level.NOTE, message=message, fix=fix)


def fault(check: str, message: str, fix: str) -> Finding:
    """Something will not work until somebody mends it."""
    return Finding(check=check, level=Level.FAULT, message=message, fix=fix)
