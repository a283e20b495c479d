"""The client library that the driver brings, used without the driver.

Importing psycopg costs more processor time than everything else that a look does; the library
below it, which knows TLS, SCRAM, service files and the rest, takes a tenth of that. It is asked in
its non-blocking way, so that Ctrl-C and our patience end a wait.

Source: PostgreSQL documentation, "libpq - C Library".
"""

from __future__ import annotations

import ctypes
import importlib.util
import select
import time
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_int, c_void_p
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_FAILED, _READING, _WRITING, _DONE = range(4)  #: PostgresPollingStatusType
_ROWS = 2  #: of ExecStatusType
_SQLSTATE, _PRIMARY = ord("C"), ord("M")  #: fields of an error
_NAMES = ("libpq.so.5", "libpq.5.dylib")  #: of a system's own library


class _Option(ctypes.Structure):
    """PQconninfoOption."""

    _fields_ = (
        ("keyword", c_char_p), ("envvar", c_char_p), ("compiled", c_char_p), ("val", c_char_p),
        ("label", c_char_p), ("dispchar", c_char_p), ("dispsize", c_int),
    )  # fmt: skip


_Texts = POINTER(c_char_p)
_Options = POINTER(_Option)
_Notice = CFUNCTYPE(None, c_void_p, c_char_p)
_CALLS: dict[str, tuple[type | None, tuple[type, ...]]] = {
    "PQconninfoParse": (_Options, (c_char_p, _Texts)),
    "PQconninfoFree": (None, (_Options,)),
    "PQconnectStart": (c_void_p, (c_char_p,)),
    "PQconnectPoll": (c_int, (c_void_p,)),
    "PQsetNoticeProcessor": (c_void_p, (c_void_p, _Notice, c_void_p)),
    "PQsocket": (c_int, (c_void_p,)),
    "PQerrorMessage": (c_char_p, (c_void_p,)),
    "PQsendQueryParams": (
        c_int,
        (c_void_p, c_char_p, c_int, c_void_p, _Texts, c_void_p, c_void_p, c_int),
    ),
    "PQconsumeInput": (c_int, (c_void_p,)),
    "PQisBusy": (c_int, (c_void_p,)),
    "PQgetResult": (c_void_p, (c_void_p,)),
    "PQresultStatus": (c_int, (c_void_p,)),
    "PQresultErrorField": (c_char_p, (c_void_p, c_int)),
    "PQntuples": (c_int, (c_void_p,)),
    "PQnfields": (c_int, (c_void_p,)),
    "PQgetisnull": (c_int, (c_void_p, c_int, c_int)),
    "PQgetvalue": (c_char_p, (c_void_p, c_int, c_int)),
    "PQclear": (None, (c_void_p,)),
    "PQfreemem": (None, (c_void_p,)),
    "PQfinish": (None, (c_void_p,)),
}

#: Else libpq writes what a server only remarks to our standard error.
_SILENCE = _Notice(lambda _argument, _words: None)

Row = tuple[str | None, ...]


class LibpqError(Exception):
    """No library, no connection, or no answer; in libpq's or the server's words."""


def parse(dsn: str) -> dict[str, str]:
    """The parameters that a connection string names. Raises LibpqError, without quoting it."""
    library, words = _library(), c_char_p()
    found = library.PQconninfoParse(dsn.encode(), ctypes.byref(words))
    library.PQfreemem(words)
    if not found:
        raise LibpqError("it is no connection string")
    try:
        return dict(_given(found))
    finally:
        library.PQconninfoFree(found)


def _given(options: ctypes._Pointer[_Option]) -> Iterator[tuple[str, str]]:
    at = 0
    while options[at].keyword is not None:
        if options[at].val is not None:
            yield options[at].keyword.decode(), options[at].val.decode()
        at += 1


class Link:
    """One connection."""

    def __init__(self, parameters: Mapping[str, str], within: float) -> None:
        """within: seconds until it is there, or LibpqError is raised."""
        self._pq = _library()
        # As one string: in the other way to say it, an empty value is none, and asks a variable.
        text = " ".join(f"{name}={_quoted(value)}" for name, value in parameters.items())
        self._link = self._pq.PQconnectStart(text.encode())
        try:
            self._pq.PQsetNoticeProcessor(self._link, _SILENCE, None)
            self._log_in(time.monotonic() + within)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End it."""
        self._pq.PQfinish(self._link)
        self._link = None

    def rows(self, query: str, parameters: Sequence[str | None], within: float) -> list[Row]:
        """Rows of one statement as text; `$1`, `$2` in it stand for `parameters`.

        within: seconds until they are there. Raises LibpqError.
        """
        given = [None if value is None else value.encode() for value in parameters]
        values = (c_char_p * len(given))(*given)
        if not self._pq.PQsendQueryParams(
            self._link, query.encode(), len(given), None, values, None, None, 0
        ):
            raise LibpqError(self._words())
        result = self._answer(time.monotonic() + within)
        try:
            if self._pq.PQresultStatus(result) != _ROWS:
                raise LibpqError(self._refusal(result))
            return list(self._read(result))
        finally:
            self._pq.PQclear(result)

    def _log_in(self, until: float) -> None:
        state = _WRITING
        while state != _DONE:
            self._wait(state, until)
            state = self._pq.PQconnectPoll(self._link)
            if state == _FAILED:
                raise LibpqError(self._words())

    def _answer(self, until: float) -> int:
        """The last result of a statement: the one that counts."""
        last = 0
        while True:
            while self._pq.PQisBusy(self._link):
                self._wait(_READING, until)
                if not self._pq.PQconsumeInput(self._link):
                    raise LibpqError(self._words())
            result = self._pq.PQgetResult(self._link)
            if not result:
                return last
            self._pq.PQclear(last)
            last = result

    def _wait(self, state: int, until: float) -> None:
        socket, left = self._pq.PQsocket(self._link), until - time.monotonic()
        if socket < 0:
            raise LibpqError(self._words())
        ways = ([socket], []) if state == _READING else ([], [socket])
        if left <= 0 or not any(select.select(*ways, [], left)):
            raise LibpqError("the server does not answer")

    def _read(self, result: int) -> Iterator[Row]:
        columns = range(self._pq.PQnfields(result))
        for row in range(self._pq.PQntuples(result)):
            yield tuple(
                None
                if self._pq.PQgetisnull(result, row, column)
                else self._pq.PQgetvalue(result, row, column).decode()
                for column in columns
            )

    def _refusal(self, result: int) -> str:
        words, state = (
            (self._pq.PQresultErrorField(result, field) or b"?").decode(errors="replace")
            for field in (_PRIMARY, _SQLSTATE)
        )
        return f"{words} (SQLSTATE {state})"

    def _words(self) -> str:
        said = self._pq.PQerrorMessage(self._link) or b""
        return said.decode(errors="replace").strip()


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


@cache
def _library() -> ctypes.CDLL:
    for place in (*_bundled(), *_NAMES):
        try:
            library = ctypes.CDLL(str(place))
        except OSError:
            continue
        for name, (result, arguments) in _CALLS.items():
            call = getattr(library, name)
            call.restype, call.argtypes = result, arguments
        return library
    raise LibpqError("libpq is neither in psycopg's wheel nor on this system")


def _bundled() -> list[Path]:
    """Where a wheel's repair tools put libraries: beside the package, on macOS inside of it."""
    spec = importlib.util.find_spec("psycopg_binary")  # finds it, and loads nothing
    if spec is None or spec.origin is None:
        return []
    package = Path(spec.origin).parent
    beside = package.with_name("psycopg_binary.libs").glob("libpq-*.so*")
    return sorted([*beside, *(package / ".dylibs").glob("libpq.*dylib")])
