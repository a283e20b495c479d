"""Reads without loading the driver, for commands that only look.

Importing psycopg costs more processor time than all the rest of `swarmctl get`, which would pay it
on every call and in every shell completion. So a look speaks to libpq itself. Only reading, and
only where the schema is this release's; everything else, what goes wrong among it, goes through
psycopg, which has the words for it.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from .errors import DatabaseUnavailable
from .libpq import Link, LinkFailed, NoLibrary, Row, StatementFailed
from .migration_files import read_migrations
from .session import CLIENT, PRIVATE, SCHEMA, WHOLE, options

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: Whatever the statement says, the session may only look, and not for long.
_ONLY_LOOKS = {"default_transaction_read_only": "on", "statement_timeout": "5s"}

_NEWEST = "select max(version), max(needs), current_setting('search_path') from swarm.migration"


class NotQuick(Exception):
    """This read must go through psycopg."""


class Reader:
    """Reads of one command."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def rows(self, query: str, parameters: Sequence[str | None] = ()) -> list[Row]:
        """Rows of one reading statement as text; `$1`, `$2` in it stand for `parameters`.

        Raises NotQuick when the connection breaks, and DatabaseUnavailable with the server's words
        when the statement fails.
        """
        try:
            return self._link.rows(query, parameters)
        except LinkFailed as error:
            raise NotQuick(str(error)) from error
        except StatementFailed as error:
            raise DatabaseUnavailable(f"reading from the database: {error}") from error


@contextmanager
def reading(dsn: str) -> Iterator[Reader]:
    """A reader of this database while the block runs. Raises NotQuick."""
    try:
        link = Link(_parameters(dsn))
    except (LinkFailed, NoLibrary) as error:
        raise NotQuick(str(error)) from error
    try:
        _insist_on_schema(link)
        yield Reader(link)
    finally:
        link.close()


def _parameters(dsn: str) -> dict[str, str]:
    if "=" not in dsn and "://" not in dsn:
        raise NotQuick("libpq would read it as the name of a database")
    if "options" in dsn:
        raise NotQuick("the connection string has session settings of its own")
    if all(f"{word}=" in dsn for word in WHOLE):
        # In the string itself: as a parameter, an empty value is the same to libpq as none. In
        # either, what comes later wins.
        private = " ".join(f"{name}='{value}'" for name, value in PRIVATE.items())
        dsn = f"{private} {dsn}"
    ours = {**CLIENT, "application_name": "swarmctl"}
    return {**ours, "dbname": dsn, "options": options(_ONLY_LOOKS)}


def _insist_on_schema(link: Link) -> None:
    """Only where `migrate` has nothing to do or to refuse, and a pooler kept our settings."""
    known = len(read_migrations())
    try:
        ((version, needs, path),) = link.rows(_NEWEST)
    except (LinkFailed, StatementFailed) as error:
        raise NotQuick(str(error)) from error
    if int(version or 0) < known or int(needs or 0) > known or path != SCHEMA:
        raise NotQuick(f"the schema is at {version}, needs {needs}, search path {path}")
