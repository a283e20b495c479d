"""What must be there before anything is spent on a command: program, room, and no credential."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from swarm.adapters.local.process import environment
from swarm.adapters.local.process.network import can_cut
from swarm.adapters.local.process.spec import Limits, Network

CANNOT_CUT = "this machine lets no command be cut off from the network"


def is_of_the_repository(program: str) -> bool:
    """True when the program is named by a path inside the folder it runs in."""
    return "/" in program and not program.startswith(("/", "{"))


def missing(
    program: str,
    env: Mapping[str, str],
    own_credentials: Sequence[str],
    folder: Path,
    network: Network = Network.HOST,
) -> str:
    """What is missing, in one sentence that says what would mend it; "" when nothing is.

    folder: where jobs are kept; made if it is not there.
    """
    program = sys.executable if program == "{python}" else program
    if not is_of_the_repository(program) and shutil.which(program, path=env["PATH"]) is None:
        return f"{program!r} is not a program on PATH; install it, or set `path` to its folder"
    if leaked := environment.leaked_values(env, own_credentials):
        return f"{', '.join(leaked)} holds a credential; take it out of `env`"
    if os.pathsep in str(folder):  # cuts GIT_CEILING_DIRECTORIES in two, and neither is a folder
        apart = "git could not be kept from the repository around it"
        return f"{folder} holds a `{os.pathsep}`: {apart}; move the installation to another path"
    if network is Network.NONE and not can_cut():
        return f"{CANNOT_CUT}, and `network` is 'none'"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    disk = os.statvfs(folder)
    free, least = disk.f_bavail * disk.f_frsize, 2 * Limits().free_bytes
    return f"only {free} bytes are free on the disk, {least} are needed" if free < least else ""
