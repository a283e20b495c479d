"""Reads without loading the driver, for commands that only look.

Importing psycopg costs more processor time than all the rest of `swarmctl get`, which would pay it
on every call and in every shell completion. So a look speaks to libpq itself. Whatever goes wrong,
it goes through psycopg once more, which has the words for it.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from .libpq import LibpqError, Link, Row, parse
from .migration_files import read_migrations
from .session import CLIENT, SCHEMA, parameters

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_CONNECT_SECONDS = float(CLIENT["connect_timeout"])
_ANSWER_SECONDS = 35.0  #: the server's own limit for a statement ends it before

#: Here and not among the settings: a server that is asked for as `read-write` would be refused.
_NEWEST = """
select max(version), max(needs), current_setting('search_path'),
       set_config('default_transaction_read_only', 'on', false)
from swarm.migration
"""


class NotQuick(Exception):
    """This read must go through psycopg."""


class Reader:
    """Reads of one command, over one connection."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def rows(self, query: str, given: Sequence[str | None] = ()) -> list[Row]:
        """Rows of one reading statement as text; `$1`, `$2` in it stand for what is given."""
        return self._link.rows(query, given, _ANSWER_SECONDS)


@contextmanager
def reading(dsn: str) -> Iterator[Reader]:
    """A reader of this database. What fails while the block runs ends it with NotQuick."""
    try:
        told = parameters(parse(dsn)) | {"client_encoding": CLIENT["client_encoding"]}
        with Link(told, _CONNECT_SECONDS) as link:
            reader = Reader(link)
            _insist_on_schema(reader)
            yield reader
    except LibpqError as error:
        raise NotQuick(str(error)) from error


def _insist_on_schema(reader: Reader) -> None:
    """Only where the newest migration is ours or serves us, and no pooler dropped our settings."""
    ((version, needs, path, _),) = reader.rows(_NEWEST)
    known = len(read_migrations())
    if int(version or 0) < known or int(needs or 0) > known or path != SCHEMA:
        raise NotQuick(f"the schema is at {version}, needs {needs}, search path {path}")
