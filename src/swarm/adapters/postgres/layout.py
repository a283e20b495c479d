"""Where everything of one embedded server lives, made private before anything is put there.

DATA/cluster      the Postgres cluster, renamed into place when complete
DATA/socket       the server's socket; elsewhere when the path would be too long for one
DATA/locks        the three locks
DATA/log          the server's own words
DATA/secret       the password, as libpq reads it; only the server's account and root can
DATA/ballast      64 MB that are given up when the disk is full
"""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from .account import ServerAccount, server_account
from .errors import (
    DataDirectoryForeign,
    DataDirectoryUnusable,
    DiskFull,
    FileSystemRefused,
    SocketFolderUnsafe,
)
from .locks import OUT_OF_SPACE, ServerLocks, prove_locks_hold
from .reach import SYSTEM_STATE, claim_stand_in, reachable_folder, sign_stand_in

PORT = 5432  #: only part of the socket's file name; the server listens on no network address
DATABASE_USER = "swarm"
DATABASE_NAME = (
    "postgres"  #: the cluster is ours alone; a second database would cost 30 ms at start
)

#: sun_path holds 108 bytes on Linux and 104 on macOS, its closing zero included.
_SOCKET_PATH_MAX = 103

_NETWORK_FILE_SYSTEMS = {
    "afs", "beegfs", "ceph", "cifs", "fuse.glusterfs", "fuse.s3fs", "fuse.sshfs", "gfs2",
    "glusterfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "smb3", "smbfs",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Layout:
    """The places of one embedded server. `data` may stand in for what was asked, see account.py."""

    asked: Path
    data: Path
    sockets: Path
    account: ServerAccount

    @property
    def cluster(self) -> Path:
        """The Postgres data directory itself."""
        return self.data / "cluster"

    @property
    def log(self) -> Path:
        """The file that takes the server's messages."""
        return self.data / "log" / "postgres.log"

    @property
    def ballast(self) -> Path:
        """Space that is given up so that a server on a full disk can come up."""
        return self.data / "ballast"

    @property
    def secret(self) -> Path:
        """The password file. An agent may run as we do; this is what it cannot read."""
        return self.data / "secret"

    @property
    def keep_marker(self) -> Path:
        """Exists while the server shall outlive its last user."""
        return self.data / "locks" / "keep-running"

    @property
    def locks(self) -> ServerLocks:
        """The three locks."""
        return ServerLocks(self.data / "locks")

    @property
    def socket(self) -> Path:
        """The socket file."""
        return self.sockets / f".s.PGSQL.{PORT}"

    @property
    def dsn(self) -> str:
        """A libpq connection string; quoted, so that any path is fine."""
        # requirepeer: the kernel says who listens, so nobody can stand in for our server.
        return (
            f"host={_quoted(self.sockets)} port={PORT} user={DATABASE_USER} "
            f"dbname={DATABASE_NAME} requirepeer={_quoted(self.account.name)} "
            f"passfile={_quoted(self.secret)}"
        )


def _quoted(value: Path | str) -> str:
    """A path, or the account of a domain with its backslash, as a value of a connection string."""
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"


def lay_out(data_dir: Path, system_state: Path = SYSTEM_STATE) -> Layout:
    """Work out the places for `data_dir`. Touches nothing."""
    asked = Path(os.path.realpath(data_dir.expanduser()))
    account = server_account(asked)
    data = reachable_folder(asked, account, system_state)
    if data != asked:
        account = server_account(data)
    return Layout(asked=asked, data=data, sockets=_socket_folder(data, account), account=account)


def make_places(layout: Layout) -> Layout:
    """Make the folders, private to the server's account; refuse what cannot be made private.

    Returns the layout to go on with: as root, another process may have chosen the place first.
    Raises DataDirectoryForeign, DataDirectoryUnusable, FileSystemRefused, SocketFolderUnsafe or
    DiskFull.
    """
    try:
        if layout.data != layout.asked:
            claim_stand_in(layout.asked, layout.data)
            layout = lay_out(layout.asked, layout.data.parent)
        _refuse_foreign(layout.data)
        layout.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (layout.data, layout.data / "locks", layout.data / "log"):
            make_private(folder, layout.account)
        if layout.data != layout.asked:
            sign_stand_in(layout.asked, layout.data)
    except OSError as error:
        words = f"{error.filename or layout.data}: {error.strerror or error}"
        if error.errno in OUT_OF_SPACE:
            raise DiskFull(words) from error
        raise DataDirectoryUnusable(words) from error
    if not layout.account.reaches(layout.data):
        raise DataDirectoryUnusable(f"{layout.account.name} cannot walk to {layout.data}")
    refuse_network_share(layout.data)
    prove_locks_hold(layout.data / "locks")
    return layout


def refuse_network_share(folder: Path) -> None:
    """Refuse a file system that is shared between hosts, by the mount table (Linux only)."""
    try:
        table = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return  # not Linux: prove_locks_hold is all we can ask there
    best = Path("/")
    kind = ""
    for line in table.splitlines():
        left, _, right = line.partition(" - ")
        mounted = Path(left.split()[4].replace("\\040", " "))
        # Later lines hide earlier mounts of the same place, hence >=.
        if folder.is_relative_to(mounted) and len(mounted.parts) >= len(best.parts):
            best, kind = mounted, right.split()[0]
    if kind in _NETWORK_FILE_SYSTEMS:
        raise FileSystemRefused(f"{folder} is on {best}, a network file system ({kind})")


def _refuse_foreign(data: Path) -> None:
    """The folder is made private and given away, so it must be ours, or have nothing in it."""
    if (data / "PG_VERSION").exists():
        raise DataDirectoryForeign(f"{data} is itself a Postgres data directory")
    if data.is_dir() and not (data / "locks").is_dir() and any(data.iterdir()):
        raise DataDirectoryForeign(f"{data} holds other things")


def _socket_folder(data: Path, account: ServerAccount) -> Path:
    near = data / "socket"
    fits = len(os.fsencode(near / f".s.PGSQL.{PORT}")) <= _SOCKET_PATH_MAX
    if fits and "," not in str(near):  # libpq reads a comma as the end of one host
        return near
    # The short folder's name is derived, so that every process finds it;
    # it is 0700 and owned by the server's account, which make_private insists on.
    # Not below /run/user: that is gone once its user has logged out, and the controller is not.
    name = f"swarm-{account.uid}-{hashlib.sha256(os.fsencode(data)).hexdigest()[:16]}"
    return Path("/tmp") / name  # noqa: S108


def make_private(folder: Path, account: ServerAccount) -> None:
    """Make a real folder of mode 0700 that the server's account owns, or insist that it is one.

    Raises SocketFolderUnsafe, DataDirectoryUnusable or FileSystemRefused.
    """
    try:
        folder.mkdir(mode=0o700)
        account.own(folder)
    except FileExistsError:
        pass
    seen = folder.lstat()
    if not stat.S_ISDIR(seen.st_mode):
        raise SocketFolderUnsafe(f"{folder} is not a folder")
    if seen.st_uid == os.geteuid() and seen.st_uid != account.uid:
        account.own(folder)  # root made it before it chose an account
    elif seen.st_uid != account.uid:
        kind = SocketFolderUnsafe if folder.name.startswith("swarm-") else DataDirectoryUnusable
        raise kind(f"{folder} belongs to user id {seen.st_uid}, not to {account.name}")
    if stat.S_IMODE(seen.st_mode) != 0o700:  # noqa: PLR2004 - the mode is the point
        folder.chmod(0o700)
        if stat.S_IMODE(folder.stat().st_mode) != 0o700:  # noqa: PLR2004
            raise FileSystemRefused(f"{folder}: this file system cannot keep a folder private")
