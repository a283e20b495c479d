"""The client library that the driver brings, used without the driver.

Importing psycopg costs more processor time than everything else that a look does; the library
below it, which knows TLS, SCRAM, service files and the rest, takes a tenth of that.

Source: PostgreSQL documentation, "libpq - C Library".
"""

from __future__ import annotations

import ctypes
import importlib.util
from ctypes import POINTER, c_char_p, c_int, c_void_p
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_CONNECTION_OK, _ROWS = 0, 2  #: of ConnStatusType and ExecStatusType
_SQLSTATE, _PRIMARY = ord("C"), ord("M")  #: fields of an error
_NAMES = ("libpq.so.5", "libpq.5.dylib")  #: of a system's own library

_Texts = POINTER(c_char_p)
_CALLS: dict[str, tuple[type | None, tuple[type, ...]]] = {
    "PQconnectdbParams": (c_void_p, (_Texts, _Texts, c_int)),
    "PQstatus": (c_int, (c_void_p,)),
    "PQerrorMessage": (c_char_p, (c_void_p,)),
    "PQexecParams": (
        c_void_p,
        (c_void_p, c_char_p, c_int, c_void_p, _Texts, c_void_p, c_void_p, c_int),
    ),
    "PQresultStatus": (c_int, (c_void_p,)),
    "PQresultErrorField": (c_char_p, (c_void_p, c_int)),
    "PQntuples": (c_int, (c_void_p,)),
    "PQnfields": (c_int, (c_void_p,)),
    "PQgetisnull": (c_int, (c_void_p, c_int, c_int)),
    "PQgetvalue": (c_char_p, (c_void_p, c_int, c_int)),
    "PQclear": (None, (c_void_p,)),
    "PQfinish": (None, (c_void_p,)),
}

Row = tuple[str | None, ...]


class NoLibrary(Exception):
    """libpq is not where psycopg's wheels or a system have it."""


class LinkFailed(Exception):
    """No connection, or it broke; in libpq's words."""


class StatementFailed(Exception):
    """The server refused a statement; in its words, with the SQLSTATE."""


class Link:
    """One connection, blocking. Raises NoLibrary or LinkFailed."""

    def __init__(self, parameters: Mapping[str, str]) -> None:
        """parameters: as libpq has them; a connection string in `dbname` is read as one."""
        self._pq = _library()
        names = (c_char_p * (len(parameters) + 1))(*(name.encode() for name in parameters))
        values = (c_char_p * (len(parameters) + 1))(*(v.encode() for v in parameters.values()))
        self._link = self._pq.PQconnectdbParams(names, values, 1)
        if self._pq.PQstatus(self._link) != _CONNECTION_OK:
            words = self._words()
            self.close()
            raise LinkFailed(words)

    def rows(self, query: str, parameters: Sequence[str | None] = ()) -> list[Row]:
        """Rows of one statement as text; `$1`, `$2` in it stand for `parameters`.

        Raises StatementFailed, or LinkFailed when the answer breaks off.
        """
        given = [None if value is None else value.encode() for value in parameters]
        values = (c_char_p * len(given))(*given)
        result = self._pq.PQexecParams(
            self._link, query.encode(), len(given), None, values, None, None, 0
        )
        try:
            if self._pq.PQresultStatus(result) == _ROWS:
                return list(self._read(result))
            if self._pq.PQstatus(self._link) != _CONNECTION_OK:
                raise LinkFailed(self._words())
            raise StatementFailed(self._refusal(result))
        finally:
            self._pq.PQclear(result)

    def close(self) -> None:
        """End it."""
        self._pq.PQfinish(self._link)
        self._link = None

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
    raise NoLibrary("libpq is neither in psycopg's wheel nor on this system")


def _bundled() -> list[Path]:
    """Where a wheel's repair tools put libraries: beside the package, on macOS inside of it."""
    spec = importlib.util.find_spec("psycopg_binary")  # finds it, and loads nothing
    if spec is None or spec.origin is None:
        return []
    package = Path(spec.origin).parent
    beside = package.with_name("psycopg_binary.libs").glob("libpq-*.so*")
    return sorted([*beside, *(package / ".dylibs").glob("libpq.*dylib")])
