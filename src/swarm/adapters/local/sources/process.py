"""Runs one command of a source: argument list, few variables, a time limit, an output limit."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from swarm.adapters.local.process import orphans
from swarm.adapters.local.process.preflight import is_of_the_repository
from swarm.adapters.local.sources.errors import CommandMissing, CommandTimedOut, OutputTooLarge

ERRORS_KEPT = 4_000  #: characters of standard error, from its end
_DRAIN = 2.0  #: seconds for what is still in the pipes once the command has ended
_KNOWN = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "USER", "VIRTUAL_ENV")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How a command ended: its exit code (negative: the signal), its output, its last words."""

    code: int
    out: bytes
    err: str


def environment(names: Sequence[str]) -> dict[str, str]:
    """What a command sees. The controller's secrets are not among it unless named."""
    seen = {name: os.environ[name] for name in (*_KNOWN, *names) if name in os.environ}
    # Tools that were installed beside this Python are found, also when its venv is not active.
    beside = str(Path(sys.executable).parent)
    seen["PATH"] = os.pathsep.join((seen.get("PATH", os.defpath), beside))
    return seen | {"NO_COLOR": "1", "TERM": "dumb", "PYTHONDONTWRITEBYTECODE": "1"}


async def run(
    argv: Sequence[str], folder: Path, env: dict[str, str], wait: timedelta, max_bytes: int
) -> Ran:
    """Run a command to its end and give what it printed.

    wait: how long it may run. Everything that it started is gone afterwards, however this ends;
          but what empties its environment and leaves the process group as well is not found.
    Raises CommandMissing, CommandTimedOut or OutputTooLarge.
    """
    words = [sys.executable if word == "{python}" else word for word in argv]
    program = _program(words[0], folder, env)
    if program is None:
        raise CommandMissing(f"{words[0]!r} is not a program that can be run here")
    talk = _Talk(max_bytes)
    mark = f"source:{secrets.token_hex(8)}"
    loop = asyncio.get_running_loop()
    try:
        transport, _ = await loop.subprocess_exec(
            lambda: talk,
            program,
            *words[1:],
            cwd=folder,
            env={**env, orphans.MARK: mark},
            stdin=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise CommandMissing(f"{words[0]!r} cannot be run in {folder}: {error.strerror}") from error
    pid = transport.get_pid()
    try:
        async with asyncio.timeout(wait.total_seconds()):
            await talk.ended.wait()
    except TimeoutError:
        raise CommandTimedOut(f"{words[0]!r} ran longer than {wait.total_seconds():g} s") from None
    finally:
        # Also after a good end: what a command leaves in the background holds its pipes open
        # and has no business here any more.
        await asyncio.to_thread(_end, pid, mark)
        await talk.drained()
        transport.close()
    if talk.over:
        raise OutputTooLarge(f"{words[0]!r} printed more than {max_bytes} bytes")
    code = transport.get_returncode()
    return Ran(code=-1 if code is None else code, out=bytes(talk.out), err=talk.last_words())


def _program(word: str, folder: Path, env: dict[str, str]) -> str | None:
    """What is executed. A path inside means the folder it runs in, not where we happen to be."""
    if is_of_the_repository(word):
        return word if shutil.which(str(folder / word)) else None
    return shutil.which(word, path=env["PATH"])


class _Talk(asyncio.SubprocessProtocol):
    """Listens to a command.

    ended: set when it ends *itself*, whoever still holds its pipes. asyncio's own `Process.wait`
           waits for them as well, which a daemon can make for ever.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.out = bytearray()
        self.err = b""
        self.over = False
        self.ended = asyncio.Event()
        self._closed = asyncio.Event()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Keep the output up to the limit, and the end of what went to standard error."""
        if fd != 1:
            self.err = (self.err + data)[-4 * ERRORS_KEPT :]
        elif len(self.out) + len(data) <= self.limit:
            self.out += data
        else:
            self.over = True
            self.ended.set()

    def process_exited(self) -> None:
        """The command itself is gone."""
        self.ended.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """All pipes are closed as well."""
        del exc
        self._closed.set()

    async def drained(self) -> None:
        """Wait for what is still in the pipes; not for ever, because others may hold them."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN):
                await self._closed.wait()

    def last_words(self) -> str:
        """The end of standard error as text."""
        return self.err.decode("utf-8", "replace")[-ERRORS_KEPT:]


def _end(pid: int, mark: str) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    # A daemon has a session of its own; one of each reading would fill the machine in a night.
    orphans.clear_marked(mark)
