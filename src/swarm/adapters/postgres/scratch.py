"""A database of its own beside an installation's, on the same server, to break things in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

import psycopg
from psycopg import conninfo, errors, sql

from .connect import describe
from .errors import DatabaseRefused
from .failures import translate


class ScratchDatabase:
    """Made empty, dropped at the end. Nothing that happens to it reaches its neighbours.

    server: a connection string of the server that may create databases.
    name:   an older database of this name is a leftover of somebody killed, and replaced.
    """

    def __init__(self, server: str, name: str) -> None:
        self._server, self._name = server, name

    @property
    def dsn(self) -> str:
        """How to connect to it."""
        return conninfo.make_conninfo(self._server, dbname=self._name)

    def __enter__(self) -> Self:
        self.drop()
        try:
            self._execute("create database {} template template0")
        except errors.InsufficientPrivilege as error:
            raise DatabaseRefused(
                f"may not create the database {self._name}: {error}",
                remedy="Grant CREATEDB to the role of `database.url`, or use the embedded server.",
            ) from error
        return self

    def __exit__(self, *_: object) -> None:
        self.drop()

    def cut(self) -> None:
        """Break every connection and refuse new ones, as a server does that goes down."""
        self._execute("alter database {} with allow_connections false")
        with self._connected() as connection:
            connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s",
                (self._name,),
            )

    def mend(self) -> None:
        """Let connections in again."""
        self._execute("alter database {} with allow_connections true")

    def drop(self) -> None:
        """Remove it, whoever is connected."""
        self._execute("drop database if exists {} with (force)")

    def _execute(self, statement: str) -> None:
        with self._connected() as connection:
            connection.execute(sql.SQL(statement).format(sql.Identifier(self._name)))

    @contextmanager
    def _connected(self) -> Iterator[psycopg.Connection]:
        try:
            with psycopg.connect(self._server, autocommit=True) as connection:
                yield connection
        except psycopg.OperationalError as error:
            raise translate(error, describe(self._server)) from error
