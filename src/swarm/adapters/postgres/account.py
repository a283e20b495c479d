"""Under which operating-system account the server runs, and what that account can reach.

Postgres refuses to run as root. A root process therefore runs it as whoever owns the data folder
already, else as `postgres` or `nobody`. No account is ever made.
"""

from __future__ import annotations

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from .errors import ServerUserMissing


@dataclass(frozen=True, slots=True)
class ServerAccount:
    """The account the server process runs under."""

    uid: int
    gid: int
    name: str
    switched: bool  #: True when we are root and the server runs as somebody else

    def reaches(self, path: Path) -> bool:
        """True when this account may walk through every folder above `path`."""
        return not self.switched or all(self._walks(parent) for parent in path.parents)

    def _walks(self, folder: Path) -> bool:
        try:
            seen = folder.stat()
        except OSError:
            return True  # not there yet: we shall make it, reachable
        if seen.st_uid == self.uid:
            return bool(seen.st_mode & stat.S_IXUSR)
        if seen.st_gid == self.gid:
            return bool(seen.st_mode & stat.S_IXGRP)
        return bool(seen.st_mode & stat.S_IXOTH)

    def own(self, path: Path) -> None:
        """Give `path` itself to this account (root only; never follows a link)."""
        if self.switched:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def server_account(data_folder: Path) -> ServerAccount:
    """The account for the server of `data_folder`, which need not exist yet."""
    uid = os.geteuid()
    if uid != 0:
        return ServerAccount(uid=uid, gid=os.getegid(), name=_entry(uid).pw_name, switched=False)
    try:
        owner = data_folder.stat().st_uid
    except OSError:
        owner = 0  # not there yet, or never can be: making it will say why
    if owner != 0:
        return _switched(_entry(owner))
    for name in ("postgres", "nobody"):
        try:
            return _switched(pwd.getpwnam(name))
        except KeyError:
            continue
    raise ServerUserMissing("running as root, and there is neither `postgres` nor `nobody`")


def belong_to_folder(descriptor: int, folder: Path) -> None:
    """Give a file that root just made to the owner of its folder, who must open it without root."""
    if os.geteuid() == 0:
        owner = folder.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def _entry(uid: int) -> pwd.struct_passwd:
    try:
        return pwd.getpwuid(uid)
    except KeyError:
        raise ServerUserMissing(f"user id {uid} has no entry in the account database") from None


def _switched(entry: pwd.struct_passwd) -> ServerAccount:
    return ServerAccount(uid=entry.pw_uid, gid=entry.pw_gid, name=entry.pw_name, switched=True)
