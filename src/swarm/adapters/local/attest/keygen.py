"""Calls of ssh-keygen. Its exit code decides; its words only name the reason."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from dataclasses import dataclass
from datetime import timedelta

from swarm.adapters.local.attest.errors import SignatureToolMissing

PROGRAM = "ssh-keygen"
TIMEOUT = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Said:
    """How ssh-keygen ended: `good` is its exit code, `words` all that it printed."""

    good: bool
    out: str
    words: str


async def keygen(*argv: str, stdin: bytes = b"") -> Said:
    """Call ssh-keygen without anybody's agent, settings or prompts."""
    env = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "HOME": "/nonexistent"}
    try:
        child = await asyncio.create_subprocess_exec(
            PROGRAM,
            *argv,
            env=env,
            cwd="/",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except (FileNotFoundError, PermissionError) as error:
        raise SignatureToolMissing(f"cannot run {PROGRAM!r}: {error.strerror}") from error
    try:
        async with asyncio.timeout(TIMEOUT.total_seconds()):
            out, err = await child.communicate(stdin)
    except TimeoutError as error:
        seconds = TIMEOUT.total_seconds()
        raise SignatureToolMissing(f"{PROGRAM} did not end in {seconds:g} s") from error
    finally:
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            await child.wait()
    text, words = out.decode("utf-8", "replace"), err.decode("utf-8", "replace")
    if "unknown option -- Y" in words or "Unsupported operation for -Y" in words:
        raise SignatureToolMissing(f"this {PROGRAM} cannot verify signatures")
    return Said(good=child.returncode == 0, out=text, words=f"{text}\n{words}")
