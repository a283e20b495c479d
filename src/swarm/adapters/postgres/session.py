"""What every session is told when it connects, as libpq's parameters. Loads no driver."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA = "swarm"  #: where everything of ours lies

#: Client side, seconds unless named. A caller's DSN may override each.
CLIENT = {
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
SERVER = {
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

#: A string with these, as the embedded server's has them, says where to go and who we are.
WHOLE = {"host", "port", "user", "dbname", "requirepeer", "passfile"}

#: The rest, for such a string: else libpq asks the environment, and somebody's PGPASSWORD for
#: another database would be our password, his PGHOSTADDR our server.
PRIVATE = {
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


def parameters(
    given: Mapping[str, str], settings: Mapping[str, str] | None = None
) -> dict[str, str]:
    """All parameters of a session, for a connection string that gives these.

    settings: over `SERVER`; what the string has as `options` is over both.
    """
    told = {**SERVER, **(settings or {})}
    options = [f"-c {name}={_escaped(value)}" for name, value in told.items()]
    if theirs := given.get("options"):
        options.append(theirs)
    private = PRIVATE if given.keys() >= WHOLE else {}
    return {**private, **CLIENT, **given, "options": " ".join(options)}


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace(" ", "\\ ")
