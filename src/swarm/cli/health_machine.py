"""What `doctor` looks at on the machine itself: interpreter, git, signing, room on the disk."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from swarm.cli.finding import Finding, fault, note, ok
from swarm.contract.counted import counted

GIT_LEAST = (2, 38)  #: merges without a working tree since then
MIB = 1024 * 1024
DISK_LEAST, DISK_COMFORT = 512 * MIB, 2048 * MIB  #: below the first no command is started
PATIENCE = 10.0  #: seconds that a program may take to say its version


def machine(place: Path, *, needs_signing: bool) -> Iterator[Finding]:
    """Findings about the machine. place: where the installation lives."""
    yield ok("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    yield _git()
    yield _keygen(needed=needs_signing)
    if os.pathsep in str(place):
        told = f"{place} holds a `{os.pathsep}`: a check's git could not be kept inside"
        yield fault("folder", told, "Move the installation to a path without one.")
    yield _disk(place)
    yield from _orphans(place)


def _git() -> Finding:
    said = _answer("git", "version")
    found = re.search(r"(\d+)\.(\d+)(?:\.\d+)*", said or "")
    if found is None:
        return fault("git", "there is no git program on PATH", "Install it: apt install git")
    if (int(found[1]), int(found[2])) < GIT_LEAST:
        wanted = ".".join(map(str, GIT_LEAST))
        return fault("git", f"git is {found[0]}", f"Install git {wanted} or newer.")
    return ok("git", found[0])


def _keygen(*, needed: bool) -> Finding:
    if shutil.which("ssh-keygen"):
        return ok("ssh-keygen", "signatures of tags can be verified")
    fix = "Install it: apt install openssh-client"
    if needed:
        return fault("ssh-keygen", "missing, and swarm.toml asks for signatures (Gate 4)", fix)
    return note("ssh-keygen", "missing: Gate 4 could not verify signed tags", fix)


def _disk(place: Path) -> Finding:
    here = place
    while not here.exists():
        here = here.parent
    disk = os.statvfs(here)
    free = disk.f_bavail * disk.f_frsize
    told = f"{free // MIB} MiB free at {here}"
    if free < DISK_LEAST:
        return fault("disk", f"{told}; below {DISK_LEAST // MIB} nothing is started", _ROOM)
    if free < DISK_COMFORT:
        return note("disk", f"{told}; one run may use up to 4096", _ROOM)
    return ok("disk", told)


_ROOM = "Free space on that disk, or move the folder of the installation."


def _orphans(place: Path) -> Iterator[Finding]:
    """Data that root's embedded servers left behind when the folder of its installation went."""
    from swarm.adapters.postgres.reach import orphans  # noqa: PLC0415
    from swarm.runtime.home import Home  # noqa: PLC0415

    if found := orphans(own=Home(place).database):
        files = (one.lstat() for data in found for one in data.rglob("*"))
        size = sum(one.st_blocks for one in files) * 512 // MIB  # st_blocks counts in 512 bytes
        left = counted(len(found), "database")
        said = f"{left} of {size} MiB in folders that are not there: see data-of in each"
        fix = "Unless such a folder lies on a disk that is not mounted now, remove them: rm -r"
        yield note("disk", said, f"{fix} {' '.join(map(str, found))}")


def _answer(*command: str) -> str | None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout
