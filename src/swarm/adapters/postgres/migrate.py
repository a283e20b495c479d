"""Numbered SQL files, applied once each, in order, by whoever comes first.

A file is `0007_expand_freezes_by_class.sql`: an expand step adds, and old code still works; a
contract step removes, and says in a header line `-- Needs: 0005` the oldest migration that a
running release must know (without that line: itself). So an older program can tell whether a newer
database still serves it.
"""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import pq

from .connect import connect_sync, describe
from .errors import (
    MigrationBusy,
    MigrationEdited,
    MigrationFailed,
    MigrationMisnamed,
    SchemaForeign,
    SchemaNewer,
)
from .failures import Failure, classify, first_line, is_environment, translate

if TYPE_CHECKING:
    from collections.abc import Sequence

FOLDER = Path(__file__).parent / "migrations"

#: Any constant that no other program takes: the first eight bytes of SHA-256("swarm migrate").
_LOCK_KEY = int.from_bytes(hashlib.sha256(b"swarm migrate").digest()[:8], signed=True)

_FILE_NAME = re.compile(r"(\d{4})_(expand|contract)_[a-z0-9_]+\.sql")
_NEEDS = re.compile(r"^-- Needs: (\d{4})\b", re.MULTILINE)

#: Others wait this long for the process that migrates; a step must stay far below it.
_TURN_SECONDS = 120
_TRIES = 5

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
class Migration:
    """One file."""

    version: int
    name: str
    needs: int  #: 0 for expand
    text: bytes
    sha256: bytes


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


def read_migrations(folder: Path = FOLDER) -> tuple[Migration, ...]:
    """The files of `folder` in order. Raises MigrationMisnamed on a gap, a twin or a bad name."""
    found: list[Migration] = []
    for path in sorted(folder.glob("*.sql")):
        name = _FILE_NAME.fullmatch(path.name)
        text = path.read_bytes()
        if name is None:
            raise MigrationMisnamed(
                f"{path.name}: not NNNN_expand_what.sql or NNNN_contract_what.sql"
            )
        if not text.startswith(f"-- {name[1]} {name[2]}: ".encode()):
            raise MigrationMisnamed(
                f"{path.name}: the first line is not `-- {name[1]} {name[2]}: ...`"
            )
        version = int(name[1])
        if version != len(found) + 1:
            raise MigrationMisnamed(f"{path.name}: number {len(found) + 1:04} is next")
        said = _NEEDS.search(text.decode())
        needs = 0 if name[2] == "expand" else int(said[1]) if said else version
        found.append(Migration(version, path.stem, needs, text, hashlib.sha256(text).digest()))
    return tuple(found)


def migrate(dsn: str, migrations: Sequence[Migration] | None = None) -> MigrationReport:
    """Bring the database to this release's schema. Safe from any number of processes at once.

    Raises MigrationEdited, MigrationFailed, SchemaNewer, SchemaForeign, MigrationBusy, or what
    connect_sync raises.
    """
    known = read_migrations() if migrations is None else tuple(migrations)
    # A step may rewrite a table: the usual statement timeout does not bind it, its lock wait does.
    settings = {"statement_timeout": "0", "lock_timeout": "5s"}
    with connect_sync(dsn, settings) as connection:
        try:
            done = _ledger(connection)
            if done is not None and len(done) >= len(known):
                return _report(known, done, applied=())
            return _migrate_alone(connection, known)
        except psycopg.Error as error:
            if is_environment(error):
                raise translate(error, f"migrating {describe(dsn)}") from error
            raise


def _migrate_alone(
    connection: psycopg.Connection[Any], known: tuple[Migration, ...]
) -> MigrationReport:
    _wait_for_turn(connection)
    try:
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
    finally:
        if not connection.broken:
            connection.execute("select pg_advisory_unlock(%s)", [_LOCK_KEY])


def _wait_for_turn(connection: psycopg.Connection[Any]) -> None:
    connection.execute(f"set lock_timeout = '{_TURN_SECONDS}s'".encode())
    try:
        connection.execute("select pg_advisory_lock(%s)", [_LOCK_KEY])
    except psycopg.errors.LockNotAvailable as error:
        raise MigrationBusy(
            f"another process has been migrating for more than {_TURN_SECONDS} s"
        ) from error
    connection.execute("set lock_timeout = '5s'")


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
        if needs > len(known):
            raise SchemaNewer(
                f"the database has {name}, which needs a program that knows migration {needs:04}; "
                f"this one knows {len(known):04}"
            )
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
                connection.execute(migration.text)
                if connection.pgconn.transaction_status != pq.TransactionStatus.INTRANS:
                    raise MigrationFailed(f"{migration.name} ends the transaction it runs in")
                connection.execute("reset search_path")
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
