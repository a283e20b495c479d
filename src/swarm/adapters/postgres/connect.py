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

if TYPE_CHECKING:
    from collections.abc import Mapping

OLDEST_SERVER = 150000  #: as libpq counts: major * 10000 + minor

SCHEMA = "swarm"  #: where everything of ours lies

#: Client side, seconds unless named. A caller's DSN may override each.
_CLIENT = {
    "connect_timeout": "3",
    "tcp_user_timeout": "5000",  # milliseconds until unacknowledged data means a dead network
    "keepalives": "1",
    "keepalives_idle": "2",
    "keepalives_interval": "1",
    "keepalives_count": "3",
    "application_name": "swarm",
    "client_encoding": "utf8",
}

#: Server side, per session. Ignored by the server on a Unix socket where they speak of TCP.
_SERVER = {
    "tcp_keepalives_idle": "2",
    "tcp_keepalives_interval": "1",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "5000",
    "lock_timeout": "5s",
    "statement_timeout": "30s",
    "idle_in_transaction_session_timeout": "30s",
    "timezone": "UTC",
    "datestyle": "ISO",  # the driver reads no other
    "intervalstyle": "postgres",  # nor another of these
    "extra_float_digits": "1",  # every digit, also where a database was set to leave some out
    # Each lock is followed by a look at what it found; under another level that look is too old.
    "default_transaction_isolation": "read committed",
    # One plan for each statement. Left to choose, the server makes a new one at each call wherever
    # it counts the elements of an array, at up to four times the cost of the work.
    "plan_cache_mode": "force_generic_plan",
    "search_path": SCHEMA,
}

#: Variables that libpq makes session settings of, behind everything that a connection string says.
_BENT_BY = {"PGTZ": "timezone", "PGDATESTYLE": "datestyle"}
_SET = "select set_config(%s, %s, false)"

#: A string with these, as the embedded server's has them, says where to go and who we are.
_WHOLE = {"host", "port", "user", "dbname", "requirepeer", "passfile"}

#: The rest, for such a string: else libpq asks the environment, and somebody's PGPASSWORD for
#: another database would be our password, his PGHOSTADDR our server.
_PRIVATE = {
    "password": "",
    "hostaddr": "",
    "require_auth": "password,none",  # none: a cluster of the time before the password
    "channel_binding": "disable",
    "gssencmode": "disable",
    "sslmode": "disable",
    "sslcertmode": "disable",
    "sslrootcert": "",
    "sslnegotiation": "postgres",
    "target_session_attrs": "any",
    "load_balance_hosts": "disable",
}


def connection_parameters(dsn: str, settings: Mapping[str, str] | None = None) -> dict[str, Any]:
    """All libpq parameters for `dsn`; `settings` override single server-side session settings.

    Raises DsnInvalid when the DSN cannot be read.
    """
    try:
        given = conninfo.conninfo_to_dict(dsn)
    except psycopg.Error as error:
        # libpq quotes the whole string, which may hold a password: only its reason is repeated.
        raise DsnInvalid(f"the database DSN cannot be read: {_reason(error, dsn)}") from None
    told = " ".join(
        f"-c {name}={_escaped(value)}" for name, value in (_SERVER | dict(settings or {})).items()
    )
    theirs = given.pop("options", None)
    options = f"{told} {theirs}" if theirs else told  # theirs last: the later one wins
    rest = _PRIVATE if given.keys() >= _WHOLE else {}
    return {**rest, **_CLIENT, **given, "options": options}


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


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace(" ", "\\ ")


def _bent() -> list[tuple[str, str]]:
    """The session settings that the environment of this process has changed, as they shall be."""
    return [(name, _SERVER[name]) for variable, name in _BENT_BY.items() if variable in os.environ]


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
