"""What a database error means: try the transaction again, give up for now, or a person must act.

Source of the classes: the fault drills behind this store (servers killed in mid-transaction, black
holes, full disks). A lost connection leaves it open whether the commit happened, so everything that
is tried again must be idempotent.
"""

from __future__ import annotations

from enum import Enum

import psycopg

from swarm.contract.errors import SwarmError

from .errors import (
    NO_POOLER,
    DatabaseRefused,
    DatabaseUnavailable,
    DataCorrupted,
    DiskFull,
    StatementTooSlow,
)


class Failure(Enum):
    """How to go on after an error."""

    LOST = "the connection is gone or useless: a new one, and the whole transaction again"
    CONTENDED = "two transactions met: the same connection, the whole transaction again"
    FINAL = "trying again gives the same answer"


#: 08*: connection; 57P01/02/03: shutdown, crash, starting up; 57P05: idle session ended;
#: 25006: read-only, which is a failover; 25P03: we slept in a transaction (a suspended laptop);
#: 53200/53300: no memory or no connection slot for a new session at this moment.
_LOST = {"57P01", "57P02", "57P03", "57P05", "25006", "25P03", "53200", "53300"}

#: Serialisation failure, deadlock, lock timeout.
_CONTENDED = {"40001", "40P01", "55P03"}

_DISK_FULL = {"53100"}
_CORRUPT = {"XX001", "XX002"}
_TOO_SLOW = {"57014", "25P04"}  # statement timeout; transaction timeout

#: At the door. 28: who you are; 3D: no such database.
_DOOR_CLASSES = ("28", "3D")
_NOT_PERMITTED = "42501"
_TURNED_AWAY_CLASSES = (*_DOOR_CLASSES, _NOT_PERMITTED)

_POOLER = "unsupported startup parameter"  #: of one that lets no session setting through


def classify(error: BaseException) -> Failure:
    """How to go on after `error`."""
    if not isinstance(error, psycopg.Error):
        return Failure.FINAL
    state = error.sqlstate
    if state is None:
        # libpq has no SQLSTATE for what never reached a server or broke on the way.
        lost = isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError))
        return Failure.LOST if lost and not _turned_away(error) else Failure.FINAL
    if state in _LOST or state.startswith("08"):
        return Failure.LOST
    if state in _CONTENDED:
        return Failure.CONTENDED
    return Failure.FINAL


def translate(error: psycopg.Error, doing: str, *, known: bool = False) -> SwarmError:
    """The typed error for a psycopg error that ended `doing`.

    known: we were let in before. Then the door is closed for a while: somebody changes a password
    or restores the database, and what works through the night must outlast that.
    """
    words = f"{doing}: {first_line(error)}"
    state = error.sqlstate or ""
    if state in _DISK_FULL or (not state and "No space left on device" in str(error)):
        return DiskFull(words)
    if state in _CORRUPT:
        return DataCorrupted(words)
    if state in _TOO_SLOW:
        return StatementTooSlow(words)
    if known and (state.startswith(_DOOR_CLASSES) or _turned_away(error)):
        return DatabaseUnavailable(words, remedy=DatabaseRefused.remedy)
    if state.startswith(_TURNED_AWAY_CLASSES) or _turned_away(error):
        return DatabaseRefused(words, remedy=NO_POOLER if _POOLER in words else None)
    return DatabaseUnavailable(words)


def is_environment(error: psycopg.Error) -> bool:
    """True when the error speaks of the server or its machine, not of the statement."""
    state = error.sqlstate or ""
    return (
        classify(error) is not Failure.FINAL
        or state in _DISK_FULL | _CORRUPT | _TOO_SLOW
        or state.startswith((*_TURNED_AWAY_CLASSES, "53", "58"))
        or _turned_away(error)
    )


def first_line(error: BaseException) -> str:
    """The error's own words, on one line, without libpq's multi-attempt repetition."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _turned_away(error: psycopg.Error) -> bool:
    # At connect libpq hands over the server's FATAL text, but not its SQLSTATE.
    words = str(error)
    return error.sqlstate is None and any(
        sign in words
        for sign in (
            "authentication failed",
            "no pg_hba.conf entry",
            "pg_hba.conf rejects",
            "does not exist",
            "no password supplied",
            _POOLER,
            "permission denied for database",
        )
    )
