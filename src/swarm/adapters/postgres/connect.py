"""Opening one connection: what every session is told, and what its failure means.

A dead network is noticed by both sides within ten seconds: by ours through TCP_USER_TIMEOUT and
keepalives, by the server's through the same settings sent at connect, so that a lost session does
not keep its locks.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import conninfo

from .errors import DsnInvalid, ServerTooOld
from .failures import translate
from .session import SERVER, parameters

if TYPE_CHECKING:
    from collections.abc import Mapping

OLDEST_SERVER = 150000  #: as libpq counts: major * 10000 + minor

#: Variables that libpq makes session settings of, behind everything that a connection string says.
_BENT_BY = {"PGTZ": "timezone", "PGDATESTYLE": "datestyle"}
_SET = "select set_config(%s, %s, false)"


def connection_parameters(dsn: str, settings: Mapping[str, str] | None = None) -> dict[str, Any]:
    """All libpq parameters for `dsn`; `settings` override single server-side session settings.

    Raises DsnInvalid when the DSN cannot be read.
    """
    try:
        given = conninfo.conninfo_to_dict(dsn)
    except psycopg.Error as error:
        # libpq quotes the whole string, which may hold a password: only its reason is repeated.
        raise DsnInvalid(f"the database DSN cannot be read: {_reason(error, dsn)}") from None
    return parameters({name: str(value) for name, value in given.items()}, settings)


def connect_sync(dsn: str, settings: Mapping[str, str] | None = None) -> psycopg.Connection[Any]:
    """One plain autocommit connection for a quick read by the command line.

    Raises DatabaseUnavailable, DatabaseRefused, ServerTooOld or DsnInvalid.
    """
    parameters = connection_parameters(dsn, settings)
    try:
        connection = psycopg.connect(**parameters, autocommit=True)
    except psycopg.Error as error:
        raise translate(error, f"connecting to {describe(dsn)}") from error
    try:
        _check_version(connection.info.server_version)
        for name, value in _bent():
            connection.execute(_SET, [name, value])
    except BaseException:
        connection.close()
        raise
    return connection


async def connect_async(
    dsn: str, settings: Mapping[str, str] | None = None
) -> psycopg.AsyncConnection[Any]:
    """One autocommit connection for async use. psycopg's errors pass: the caller classifies them.

    Raises ServerTooOld or DsnInvalid, else psycopg.Error.
    """
    parameters = connection_parameters(dsn, settings)
    connection = await psycopg.AsyncConnection.connect(**parameters, autocommit=True)
    try:
        _check_version(connection.info.server_version)
        for name, value in _bent():
            await connection.execute(_SET, [name, value])
    except BaseException:
        await connection.close()
        raise
    return connection


def _bent() -> list[tuple[str, str]]:
    """The session settings that the environment of this process has changed, as they shall be."""
    return [(name, SERVER[name]) for variable, name in _BENT_BY.items() if variable in os.environ]


def describe(dsn: str) -> str:
    """The DSN as one may print it: without its password."""
    try:
        given = conninfo.conninfo_to_dict(dsn)
    except psycopg.Error:
        return "the database"
    place = given.get("host") or given.get("hostaddr") or given.get("service") or "local socket"
    port = f":{given['port']}" if given.get("port") else ""
    name = f"/{given['dbname']}" if given.get("dbname") else ""
    return f"{place}{port}{name}"


def _check_version(version: int) -> None:
    if version < OLDEST_SERVER:
        raise ServerTooOld(
            f"the server is Postgres {version // 10000}; {OLDEST_SERVER // 10000} is the oldest "
            "that works"
        )


def _reason(error: psycopg.Error, dsn: str) -> str:
    words = str(error).strip()
    for part in (dsn, *dsn.split("@")[:1]):
        words = words.replace(part, "...")
    return words if "password" not in words and "://" not in words else "syntax error"
