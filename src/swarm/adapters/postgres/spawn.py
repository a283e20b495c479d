"""Running Postgres programs under the server's account, with nothing inherited by accident."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .account import ServerAccount

#: Nothing of ours leaks in: a PGDATA or PGOPTIONS of the user's shell must not bend the server.
_ENVIRONMENT = {"LC_ALL": "C", "PATH": "/usr/bin:/bin"}
_PRIVATE = 0o077


def run_as(
    account: ServerAccount, command: Sequence[str], *, keep: int, words: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end and keep what it says.

    keep: a descriptor for it to inherit.    words: its standard input.
    """
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        input=words,
        pass_fds=[keep],
        cwd="/",
        env=_ENVIRONMENT,
        umask=_PRIVATE,
        user=account.uid if account.switched else None,
        group=account.gid if account.switched else None,
        extra_groups=[] if account.switched else None,
    )


def spawn_as(
    account: ServerAccount, command: Sequence[str], *, output: int, keep: int
) -> subprocess.Popen[bytes]:
    """Start a server that may outlive us. `output`, `keep`: descriptors to write to, to inherit."""
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        pass_fds=[keep],
        # A session of its own: Ctrl-C at our terminal must not reach the server.
        start_new_session=True,
        cwd="/",
        env=_ENVIRONMENT,
        umask=_PRIVATE,
        user=account.uid if account.switched else None,
        group=account.gid if account.switched else None,
        extra_groups=[] if account.switched else None,
    )
