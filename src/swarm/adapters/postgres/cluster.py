"""Making a cluster, and refusing one that these programs must not open."""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import (
    DataDirectoryForeign,
    DataDirectoryNewer,
    DataDirectoryOlder,
    DataDirectoryUnusable,
    DiskFull,
    ServerDidNotStart,
)
from .layout import DATABASE_NAME, DATABASE_USER, make_private
from .locks import OUT_OF_SPACE
from .spawn import run_as

if TYPE_CHECKING:
    from .binaries import Binaries
    from .layout import Layout
    from .locks import FileLock

_MARKER = "swarm-made-this"
_UNFINISHED = "cluster.unfinished"
_FOR_INITDB = "password.unfinished"
_BUILTIN_LOCALES_SINCE = 17
_SETTINGS_SINCE = 16


def ensure_cluster(binaries: Binaries, layout: Layout, lock: FileLock) -> None:
    """Make the cluster when there is none; check the one that is there.

    lock: the `server` lock, held: then nobody else touches the folder. It is handed to initdb as
    well, which goes on when we are killed and would meet the next one that makes a cluster.
    """
    if layout.cluster.is_symlink() or (layout.cluster.exists() and not layout.cluster.is_dir()):
        raise DataDirectoryForeign(f"{layout.cluster} is not a folder")
    if layout.cluster.exists() and any(layout.cluster.iterdir()):
        check_cluster(binaries, layout.cluster)
        if not layout.secret.exists():
            _lock_the_door(binaries, layout, lock)
    else:
        _make_cluster(binaries, layout, lock)


def check_cluster(binaries: Binaries, cluster: Path) -> None:
    """Raise DataDirectoryForeign, DataDirectoryNewer or DataDirectoryOlder if not for us."""
    try:
        major = int((cluster / "PG_VERSION").read_text(encoding="ascii").strip())
    except FileNotFoundError:
        raise DataDirectoryForeign(
            f"{cluster} is not empty and holds no Postgres cluster"
        ) from None
    except ValueError as error:
        raise DataDirectoryForeign(f"{cluster / 'PG_VERSION'} holds no version") from error
    except OSError as error:
        raise DataDirectoryUnusable(f"{error.filename}: {error.strerror or error}") from error
    if major > binaries.major:
        raise DataDirectoryNewer(
            f"{cluster} was made by Postgres {major}; these programs are {binaries.version}"
        )
    if major < binaries.major:
        raise DataDirectoryOlder(
            f"{cluster} was made by Postgres {major}; these programs are {binaries.version}"
        )
    if not (cluster / _MARKER).exists():
        raise DataDirectoryForeign(f"{cluster} is a Postgres cluster that somebody else made")


def forget_dead_server(layout: Layout) -> None:
    """Remove what a killed server left behind. Call only with the `server` lock held."""
    (layout.cluster / "postmaster.pid").unlink(missing_ok=True)
    make_private(layout.sockets, layout.account)  # before anything in it is touched
    _unlink_socket(layout)


def leave_no_socket(layout: Layout) -> None:
    """Remove the socket of a server that ended, and its folder when that lies outside the data."""
    _unlink_socket(layout)
    if layout.sockets.parent != layout.data:
        with suppress(OSError):
            layout.sockets.rmdir()


def _unlink_socket(layout: Layout) -> None:
    layout.socket.unlink(missing_ok=True)
    layout.socket.with_name(layout.socket.name + ".lock").unlink(missing_ok=True)


def copy_cluster(source: Layout, target: Layout) -> None:
    """Put a copy of a stopped server's cluster into an empty data folder, 0.05 s instead of initdb.

    Call with the `server` locks of both held; for test suites that need many servers.
    """
    unfinished = target.data / _UNFINISHED
    _remove(unfinished)
    shutil.copytree(source.cluster, unfinished, symlinks=True)
    if target.account.switched:
        for folder, _, files in os.walk(unfinished):
            for path in (Path(folder), *(Path(folder) / name for name in files)):
                target.account.own(path)
    _write_private(target, target.secret, source.secret.read_text(encoding="utf-8"))
    unfinished.rename(target.cluster)


def _make_cluster(binaries: Binaries, layout: Layout, lock: FileLock) -> None:
    """Run initdb beside the final place and rename: a half-made cluster is never seen."""
    unfinished = layout.data / _UNFINISHED
    _remove(unfinished)  # of a process that was killed; we hold the lock, so nobody uses it
    try:
        unfinished.mkdir(mode=0o700)
        layout.account.own(unfinished)
        _make_secret(layout)
        _run_initdb(binaries, layout, unfinished, lock)
        (layout.data / _FOR_INITDB).unlink()
        _let_in_only_us(layout, unfinished)
        if layout.cluster.exists():
            layout.cluster.rmdir()  # empty, or we would not be here
        unfinished.rename(layout.cluster)
        _sync(layout.data)
    except OSError as error:
        _remove(unfinished)
        if error.errno in OUT_OF_SPACE:
            raise DiskFull(f"no room for a new cluster in {layout.data}") from error
        raise DataDirectoryUnusable(
            f"{error.filename or layout.data}: {error.strerror or error}"
        ) from error
    except BaseException:
        _remove(unfinished)
        raise


def _run_initdb(binaries: Binaries, layout: Layout, target: Path, lock: FileLock) -> None:
    locale = ["--locale=C", "--encoding=UTF8"]
    if binaries.major >= _BUILTIN_LOCALES_SINCE:
        # The C library's collations change with its version and break indexes; this one cannot.
        locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", *locale]
    command = [
        str(binaries.initdb), "-D", str(target), "-U", DATABASE_USER, "--data-checksums",
        "--auth-local=password", "--auth-host=reject", "--no-instructions", *locale,
        f"--pwfile={layout.data / _FOR_INITDB}",
    ]  # fmt: skip
    if binaries.major >= _SETTINGS_SINCE:
        # 256 random bits need no stretching, and each connection would pay for it.
        command += ["-c", "scram_iterations=1", "-c", "huge_pages=off"]
    done = run_as(layout.account, command, keep=lock.fd)
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip()[-2000:]
        if "No space left on device" in words or "Disk quota exceeded" in words:
            raise DiskFull(f"no room for a new cluster in {layout.data}")
        raise ServerDidNotStart(f"initdb failed in {layout.data}:\n{words}")


def _let_in_only_us(layout: Layout, target: Path) -> None:
    """Only who can read the secret enters; the kernel's word on who knocks is not enough.

    An agent may run under our own account, and Landlock keeps it from reading files, not from
    connecting to a socket. In clear, because the wire is a socket in a folder of mode 0700 whose
    other end the client has checked.
    """
    files = {
        "pg_hba.conf": "local all all password\n",
        _MARKER: "The embedded database of Swarm. Do not edit; back it up as a whole.\n",
    }
    for name, text in files.items():
        _write_private(layout, target / name, text)
    _sync(target)


def _lock_the_door(binaries: Binaries, layout: Layout, lock: FileLock) -> None:
    """Give a password to a cluster of the time when the kernel's word was enough.

    The secret comes last: killed in between, the next start does all of it again.
    """
    password = secrets.token_urlsafe(32)
    command = [str(binaries.postgres), "--single", "-D", str(layout.cluster), DATABASE_NAME]
    words = f"alter role {DATABASE_USER} password '{password}'\n"
    done = run_as(layout.account, command, keep=lock.fd, words=words)
    if done.returncode != 0 or "ERROR" in done.stderr:
        raise ServerDidNotStart(f"no password could be set in {layout.data}:\n{done.stderr}")
    _let_in_only_us(layout, layout.cluster)
    _write_private(layout, layout.secret, f"*:*:*:{DATABASE_USER}:{password}\n")


def _make_secret(layout: Layout) -> None:
    password = secrets.token_urlsafe(32)
    _write_private(layout, layout.data / _FOR_INITDB, password + "\n")
    _write_private(layout, layout.secret, f"*:*:*:{DATABASE_USER}:{password}\n")


def _write_private(layout: Layout, path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor, no path
        file.write(text)
    layout.account.own(path)
    _sync(path)


def _remove(folder: Path) -> None:
    if folder.is_symlink():
        folder.unlink()
    shutil.rmtree(folder, ignore_errors=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
