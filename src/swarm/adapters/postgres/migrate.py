"""Numbered SQL files (migration_files.py), applied once each, in order, by whoever comes first."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import pq

from .connect import connect_sync, describe
from .copied import settle_in
from .errors import (
    NO_POOLER,
    DatabaseRefused,
    MigrationBusy,
    MigrationEdited,
    MigrationFailed,
    SchemaForeign,
    SchemaNewer,
)
from .failures import Failure, classify, first_line, is_environment, translate
from .migration_files import FOLDER, Migration, read_migrations
from .session import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import LiteralString

__all__ = ["FOLDER", "Migration", "MigrationReport", "migrate", "read_migrations"]

#: Any constant that no other program takes: the first eight bytes of SHA-256("swarm migrate").
_LOCK_KEY = int.from_bytes(hashlib.sha256(b"swarm migrate").digest()[:8], signed=True)

#: Others wait this long for the process that migrates; a step must stay far below it.
_TURN_SECONDS = 120
_TRIES = 5

#: What a file before may have left, and how long a step may make everybody behind its lock wait.
_BEFORE_EACH = b"reset search_path; set local lock_timeout = '5s'; "

#: The embedded server ends transactions after a minute; the setting came with version 17.
_NO_TRANSACTION_TIMEOUT = """
select set_config(name, '0', false) from pg_settings where name = 'transaction_timeout'
"""

_LEDGER = b"""
create schema if not exists swarm;
create table if not exists swarm.migration (
  version    int primary key,
  name       text not null,
  needs      int not null,            -- oldest migration that a program must know after this one
  sha256     bytea not null check (octet_length(sha256) = 32),
  applied_at timestamptz not null default now(),
  ms         real not null
)
"""


@dataclass(frozen=True, slots=True)
class MigrationReport:
    """What `migrate` found and did."""

    applied: tuple[str, ...]  #: names of the files that this call applied
    version: int  #: the newest migration in the database
    ahead: tuple[str, ...]  #: names in the database that this release does not know

    @property
    def sentence(self) -> str:
        """For the log and for people."""
        if self.ahead:
            return (
                f"the database is at migration {self.version}, newer than this release by "
                f"{len(self.ahead)}: running on it without migrating"
            )
        if self.applied:
            return f"applied {len(self.applied)} migrations, now at {self.version}"
        return f"the database is at migration {self.version}, nothing to do"


def migrate(dsn: str, migrations: Sequence[Migration] | None = None) -> MigrationReport:
    """Bring the database to this release's schema. Safe from any number of processes at once.

    Raises MigrationEdited, MigrationFailed, SchemaNewer, SchemaForeign, MigrationBusy,
    DatabaseRefused for another encoding than UTF8, for a session that is not as we asked for it and
    for missing rights, or what connect_sync raises.
    """
    known = read_migrations() if migrations is None else tuple(migrations)
    # A step may rewrite a table, so the usual statement timeout does not bind it. The lock timeout
    # here is for the turn; a step has its own.
    settings = {"statement_timeout": "0", "lock_timeout": f"{_TURN_SECONDS}s"}
    with connect_sync(dsn, settings) as connection:
        _refuse_encoding(connection, dsn)
        try:
            _refuse_pooler(connection, dsn)
            done = _ledger(connection)
            report = (
                _report(known, done, applied=())
                if done is not None and len(done) >= len(known)
                else _migrate_in_turn(connection, known)
            )
            if migrations is None:
                settle_in(connection)
            return report  # noqa: TRY300 - within reach of the handler below
        except psycopg.Error as error:
            if is_environment(error):
                raise translate(error, f"migrating {describe(dsn)}") from error
            raise


def _refuse_encoding(connection: psycopg.Connection[Any], dsn: str) -> None:
    """Only UTF8 holds what the world says; else one character of a feed ends its readings."""
    encoding = connection.info.parameter_status("server_encoding")
    if encoding not in {None, "UTF8"}:
        raise DatabaseRefused(
            f"{describe(dsn)} is encoded as {encoding}, which cannot hold every text",
            remedy="Make another one: create database NAME encoding 'UTF8' template template0.",
        )


def _refuse_pooler(connection: psycopg.Connection[Any], dsn: str) -> None:
    """A pooler that drops session settings would have our tables put among somebody else's."""
    row = connection.execute("select current_setting('search_path')").fetchone()
    if row is None or row[0] != SCHEMA:
        raise DatabaseRefused(
            f"{describe(dsn)} does not give its sessions the settings that we ask for: search_path"
            f" is {row and row[0]!r} there, not {SCHEMA!r}",
            remedy=NO_POOLER,
        )


def _migrate_in_turn(
    connection: psycopg.Connection[Any], known: tuple[Migration, ...]
) -> MigrationReport:
    """One process migrates; the others wait for it together and then look what is left to do."""
    connection.execute(_NO_TRANSACTION_TIMEOUT)
    while not _scalar(connection, "select pg_try_advisory_lock(%s)"):
        # Shared, so that all who wait go on at once when the one that migrates is done.
        try:
            _scalar(connection, "select pg_advisory_lock_shared(%s)")
        except psycopg.errors.LockNotAvailable as error:
            raise MigrationBusy(
                f"another process has been migrating for more than {_TURN_SECONDS} s"
            ) from error
        done = _ledger(connection)
        _scalar(connection, "select pg_advisory_unlock_shared(%s)")
        if done is not None and len(done) >= len(known):
            return _report(known, done, applied=())
        time.sleep(0.005)  # the one before us failed: somebody tries again
    try:
        return _migrate_alone(connection, known)
    finally:
        if not connection.broken:
            _scalar(connection, "select pg_advisory_unlock(%s)")


def _migrate_alone(
    connection: psycopg.Connection[Any], known: tuple[Migration, ...]
) -> MigrationReport:
    done = _ledger(connection)
    if done is None:
        _refuse_foreign_schema(connection)
        connection.execute(_LEDGER)
        done = {}
    _report(known, done, applied=())  # checks what is there before adding to it
    applied = []
    for migration in known:
        if migration.version not in done:
            _apply(connection, migration)
            applied.append(migration.name)
            done[migration.version] = (migration.name, migration.needs, migration.sha256)
    return _report(known, done, applied=tuple(applied))


def _scalar(connection: psycopg.Connection[Any], statement: LiteralString) -> Any:
    row = connection.execute(statement, [_LOCK_KEY]).fetchone()
    return row and row[0]


def _ledger(connection: psycopg.Connection[Any]) -> dict[int, tuple[str, int, bytes]] | None:
    """What has been applied: version -> (name, needs, sha256). None: nothing ever was."""
    try:
        rows = connection.execute(
            "select version, name, needs, sha256 from swarm.migration order by version"
        )
        return {version: (name, needs, bytes(digest)) for version, name, needs, digest in rows}
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        return None
    except psycopg.errors.UndefinedColumn as error:
        raise SchemaForeign("the table swarm.migration has not the columns we give it") from error


def _refuse_foreign_schema(connection: psycopg.Connection[Any]) -> None:
    row = connection.execute(
        "select relname from pg_class where relnamespace = to_regnamespace('swarm') limit 1"
    ).fetchone()
    if row is not None:
        raise SchemaForeign(f"the schema swarm holds {row[0]!r}, but no record of our migrations")


def refuse_newer(name: str, needs: int, known: int) -> None:
    """Raise SchemaNewer for a migration that needs a program which knows more than this one."""
    if needs > known:
        raise SchemaNewer(
            f"the database has {name}, which needs a program that knows migration {needs:04}; "
            f"this one knows {known:04}"
        )


def _report(
    known: tuple[Migration, ...],
    done: dict[int, tuple[str, int, bytes]],
    applied: tuple[str, ...],
) -> MigrationReport:
    """Compare files and ledger. Raises MigrationEdited or SchemaNewer."""
    for migration in known:
        if migration.version in done and done[migration.version][2] != migration.sha256:
            raise MigrationEdited(
                f"{migration.name} was applied to this database with other contents "
                f"(as {done[migration.version][0]})"
            )
    ahead = {version: row for version, row in done.items() if version > len(known)}
    for name, needs, _ in ahead.values():
        refuse_newer(name, needs, len(known))
    return MigrationReport(
        applied=applied,
        version=max(done, default=0),
        ahead=tuple(row[0] for row in ahead.values()),
    )


def _apply(connection: psycopg.Connection[Any], migration: Migration) -> None:
    """One file in one transaction, with its row in the ledger. Lock waits are tried again."""
    for attempt in range(_TRIES):
        begun = time.perf_counter()
        try:
            with connection.transaction():
                connection.execute(_BEFORE_EACH + migration.text)
                if connection.pgconn.transaction_status != pq.TransactionStatus.INTRANS:
                    raise MigrationFailed(f"{migration.name} ends the transaction it runs in")
                connection.execute(
                    "insert into swarm.migration (version, name, needs, sha256, ms)"
                    " values (%s, %s, %s, %s, %s)",
                    [
                        migration.version,
                        migration.name,
                        migration.needs,
                        migration.sha256,
                        (time.perf_counter() - begun) * 1000,
                    ],
                )
        except psycopg.Error as error:
            if classify(error) is Failure.CONTENDED and attempt + 1 < _TRIES:
                time.sleep(0.1 * 2**attempt)
                continue
            if is_environment(error):
                raise
            raise MigrationFailed(f"{migration.name}: {first_line(error)}") from error
        return
