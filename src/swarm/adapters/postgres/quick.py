"""One read from the embedded server without loading the driver, for commands that only look.

Importing psycopg costs ten times the processor time of the read itself, which `swarmctl get` would
pay on every call and in every shell completion. The embedded server takes the password in clear on
its private socket, so what is left of the protocol is small. Only reading, only our own socket;
everything else goes through psycopg.

Source: PostgreSQL documentation, "Frontend/Backend Protocol", message flow and message formats,
protocol version 3.0, extended query with text results.
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

from .errors import DatabaseUnavailable
from .layout import DATABASE_NAME, DATABASE_USER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .layout import Layout

Row = tuple[str | None, ...]

_PROTOCOL_3 = 196608
_PATIENCE_SECONDS = 5.0
_LET_IN, _PASSWORD_IN_CLEAR = 0, 3

#: The session may look at our schema and nothing more, whatever the statement says.
_SESSION = "-c default_transaction_read_only=on -c search_path=swarm -c statement_timeout=5s"


class NotQuick(Exception):
    """This read must go through psycopg: no server listens, or it wants more than we can say."""


def read_quickly(layout: Layout, query: str, parameters: Sequence[str | None] = ()) -> list[Row]:
    """Rows of one reading statement as text; `$1`, `$2` in it stand for `parameters`.

    Raises NotQuick when the server does not run or wants another proof than our password, and
    DatabaseUnavailable with the server's words when it runs and the read fails.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as wire:
        wire.settimeout(_PATIENCE_SECONDS)
        try:
            wire.connect(str(layout.socket))
            _refuse_stranger(wire, layout)
            _log_in(wire, layout)
            wire.sendall(_statement(query, parameters))
            return _rows(wire)
        except (FileNotFoundError, ConnectionError, PermissionError) as error:
            raise NotQuick(f"{layout.socket}: {error}") from error
        except TimeoutError as error:
            raise DatabaseUnavailable(f"{layout.socket} does not answer") from error


def _refuse_stranger(wire: socket.socket, layout: Layout) -> None:
    """Linux says who listens; elsewhere the folder of mode 0700 has to do."""
    if hasattr(socket, "SO_PEERCRED"):
        credentials = wire.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        uid = struct.unpack("3i", credentials)[1]
        if uid != layout.account.uid:
            raise NotQuick(f"{layout.socket} is served by user id {uid}")


def _log_in(wire: socket.socket, layout: Layout) -> None:
    words = ("user", DATABASE_USER, "database", DATABASE_NAME, "options", _SESSION)
    body = b"".join(_text(word) for word in (*words, "application_name", "swarmctl")) + b"\0"
    wire.sendall(struct.pack("!ii", len(body) + 8, _PROTOCOL_3) + body)
    for kind, content in _messages(wire):
        if kind == b"R" and (wanted := struct.unpack("!i", content[:4])[0]) != _LET_IN:
            if wanted != _PASSWORD_IN_CLEAR:
                raise NotQuick(f"the server asks for a proof of kind {wanted}")
            wire.sendall(_message(b"p", _text(_password(layout))))
        if kind == b"E":
            raise NotQuick(_words(content))
        if kind == b"Z":
            return


def _password(layout: Layout) -> str:
    try:
        return layout.secret.read_text(encoding="utf-8").strip().rpartition(":")[2]
    except OSError as error:
        raise NotQuick(f"{layout.secret}: {error.strerror}") from error


def _statement(query: str, parameters: Sequence[str | None]) -> bytes:
    parse = b"\0" + _text(query) + struct.pack("!h", 0)
    bind = b"\0\0" + struct.pack("!hh", 0, len(parameters))
    for value in parameters:
        raw = None if value is None else value.encode()
        bind += struct.pack("!i", -1) if raw is None else struct.pack("!i", len(raw)) + raw
    bind += struct.pack("!h", 0)  # all results as text
    return (
        _message(b"P", parse)
        + _message(b"B", bind)
        + _message(b"E", b"\0" + struct.pack("!i", 0))
        + _message(b"S", b"")
    )


def _rows(wire: socket.socket) -> list[Row]:
    rows: list[Row] = []
    for kind, content in _messages(wire):
        if kind == b"D":
            rows.append(_row(content))
        elif kind == b"E":
            raise DatabaseUnavailable(f"reading from the embedded database: {_words(content)}")
        elif kind == b"Z":
            break
    return rows


def _row(content: bytes) -> Row:
    (count,) = struct.unpack("!h", content[:2])
    values: list[str | None] = []
    at = 2
    for _ in range(count):
        (length,) = struct.unpack("!i", content[at : at + 4])
        at += 4
        if length < 0:
            values.append(None)
            continue
        values.append(content[at : at + length].decode())
        at += length
    return tuple(values)


def _messages(wire: socket.socket) -> Iterator[tuple[bytes, bytes]]:
    with wire.makefile("rb") as stream:
        while True:
            head = stream.read(5)
            if len(head) < 5:  # noqa: PLR2004 - one byte of kind, four of length
                raise ConnectionResetError("the server closed the connection")
            kind, length = struct.unpack("!ci", head)
            content = stream.read(length - 4)
            if len(content) < length - 4:
                raise ConnectionResetError("the server closed the connection in mid-answer")
            yield kind, content


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def _text(word: str) -> bytes:
    return word.encode() + b"\0"


def _words(content: bytes) -> str:
    fields = {part[:1]: part[1:].decode(errors="replace") for part in content.split(b"\0") if part}
    return f"{fields.get(b'M', 'unknown error')} (SQLSTATE {fields.get(b'C', '?')})"
