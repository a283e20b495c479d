"""The one way in which git is called: no user or system settings, no hooks, no prompts, a limit.

Every call has a time limit and an output limit; a call that overruns is killed with its children.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from swarm.adapters.local.git.errors import (
    GitFailed,
    GitMissing,
    GitTimedOut,
    GitTooOld,
    OutputTooLarge,
)
from swarm.core.policy.intake_text import printable

#: `git merge-tree --write-tree` appeared in 2.38.
OLDEST = (2, 38)

#: A full file list of a million paths is about 100 MB; more in one answer is a fault.
OUTPUT_LIMIT = 256 * 1024 * 1024
ERROR_LIMIT = 64 * 1024

#: Long enough for plumbing on a slow disk; fetches and checkouts ask for more.
TIMEOUT = timedelta(seconds=60)

#: Settings of every call. What a repository's own config says about these is overruled.
_CONFIG = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.untrackedCache": "false",
    "core.attributesFile": "/dev/null",
    "core.excludesFile": "/dev/null",
    "core.autocrlf": "false",
    "core.fileMode": "true",
    "core.ignoreCase": "false",
    "core.precomposeUnicode": "false",
    "core.protectHFS": "true",
    "core.protectNTFS": "true",
    "core.quotePath": "false",
    "core.sparseCheckout": "false",
    "core.fsync": "committed,loose-object,reference",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "commit.gpgSign": "false",
    "tag.gpgSign": "false",
    "merge.renames": "false",
    "merge.directoryRenames": "false",
    "submodule.recurse": "false",
    "fetch.recurseSubmodules": "false",
    "safe.directory": "*",
    "advice.detachedHead": "false",
}


def _environment() -> dict[str, str]:
    env = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": "/nonexistent",
        "XDG_CONFIG_HOME": "/nonexistent",
        "LC_ALL": "C",
        "TZ": "UTC",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_SYSTEM": "/dev/null",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        # From version 3 on git would choose tables, and what a kill leaves of those nobody removes.
        "GIT_DEFAULT_REF_FORMAT": "files",
        # A list that names no protocol that exists: no call reaches another repository.
        "GIT_ALLOW_PROTOCOL": "none",
        "GIT_CONFIG_COUNT": str(len(_CONFIG)),
    }
    for at, (key, value) in enumerate(_CONFIG.items()):
        env[f"GIT_CONFIG_KEY_{at}"] = key
        env[f"GIT_CONFIG_VALUE_{at}"] = value
    return env


@dataclass(frozen=True, slots=True)
class Answer:
    """How a git call ended, with an exit code that the caller said is an answer."""

    code: int
    out: bytes

    @property
    def text(self) -> str:
        """The output without its last line end."""
        return self.out.decode("utf-8", "surrogateescape").rstrip("\n")


@dataclass(frozen=True, slots=True)
class Git:
    """Calls of the git program in one repository.

    folder: its git directory; None for calls outside any repository.
    extra:  further environment, such as a private index.
    held:   a lock's file descriptor; the child inherits it, so that the lock outlives us as long
            as the child does.
    """

    folder: Path | None = None
    program: str = "git"
    timeout: timedelta = TIMEOUT
    extra: Mapping[str, str] = field(default_factory=dict)
    held: int | None = None

    def at(self, folder: Path) -> Git:
        """The same git in another repository."""
        return replace(self, folder=folder)

    def with_environment(self, **extra: str) -> Git:
        """The same repository with more environment."""
        return replace(self, extra={**self.extra, **extra})

    def patient(self, timeout: timedelta) -> Git:
        """The same repository with another time limit."""
        return replace(self, timeout=timeout)

    def holding(self, descriptor: int) -> Git:
        """The same repository with a lock that every child keeps alive."""
        return replace(self, held=descriptor)

    async def run(
        self, *argv: str, stdin: bytes = b"", ok: Sequence[int] = (0,), limit: int = OUTPUT_LIMIT
    ) -> Answer:
        """Call git with `argv`. Exit codes in `ok` are answers, all others raise GitFailed.

        limit: bytes of output that are read; more raises OutputTooLarge and kills the call.
        Raises GitMissing, GitTimedOut.
        """
        env = {**_environment(), **self.extra}
        if self.folder is not None:
            env["GIT_DIR"] = str(self.folder)
        try:
            child = await asyncio.create_subprocess_exec(
                self.program,
                *argv,
                env=env,
                cwd="/",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
                pass_fds=() if self.held is None else (self.held,),
            )
        except (FileNotFoundError, PermissionError) as error:
            raise GitMissing(f"cannot run {self.program!r}: {error.strerror}") from error
        except OSError as error:
            # No process, no file left on this machine: it passes, and must end no controller.
            raise GitFailed(f"git {argv[0]} could not be started: {error.strerror}") from error
        try:
            async with asyncio.timeout(self.timeout.total_seconds()):
                out, err, _ = await asyncio.gather(
                    _read(child.stdout, limit),
                    _read(child.stderr, ERROR_LIMIT, drop=True),
                    _feed(child.stdin, stdin),
                )
                code = await child.wait()
        except TimeoutError as error:
            seconds = self.timeout.total_seconds()
            raise GitTimedOut(f"git {argv[0]} did not end in {seconds:g} s") from error
        except _TooMuch as error:
            raise OutputTooLarge(f"git {argv[0]} wrote more than {limit} bytes") from error
        finally:
            await _end(child)
        if code not in ok:
            said = printable(err.decode("utf-8", "replace").strip()[-1000:])
            raise GitFailed(f"git {argv[0]} ended with {code}: {said or '(said nothing)'}")
        return Answer(code, out)


class _TooMuch(Exception):
    """More output than the limit; never leaves this module."""


async def _read(stream: asyncio.StreamReader | None, limit: int, *, drop: bool = False) -> bytes:
    kept = bytearray()
    assert stream is not None  # noqa: S101 - the pipe was asked for
    while block := await stream.read(1 << 16):
        if len(kept) + len(block) <= limit:
            kept += block
        elif not drop:
            raise _TooMuch
    return bytes(kept)


async def _feed(stream: asyncio.StreamWriter | None, data: bytes) -> None:
    assert stream is not None  # noqa: S101 - the pipe was asked for
    # A child that ends without reading its input says why with its exit code.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        stream.write(data)
        await stream.drain()
    stream.close()


async def _end(child: asyncio.subprocess.Process) -> None:
    if child.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        await child.wait()


async def require_git(program: str = "git") -> str:
    """The version of git, e.g. "2.39.5". Raises GitMissing or GitTooOld."""
    if shutil.which(program) is None:
        raise GitMissing(f"there is no {program!r} on the PATH")
    said = (await Git(program=program).run("version")).text
    found = re.search(r"(\d+)\.(\d+)(?:\.\d+)*", said)
    if found is None:
        raise GitTooOld(f"{program!r} did not tell a version: {printable(said[:80])!r}")
    if (int(found[1]), int(found[2])) < OLDEST:
        raise GitTooOld(f"git {found[0]} was found, {OLDEST[0]}.{OLDEST[1]} is the oldest usable")
    return found[0]
