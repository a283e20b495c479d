"""Runs the configured signing command on one exact commit, with nothing of our environment."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from swarm.adapters.local.attest.errors import SigningFailed
from swarm.adapters.local.attest.settings import AttestationSettings
from swarm.adapters.local.attest.tags import tag_name
from swarm.adapters.local.git.forge import LocalForge
from swarm.adapters.local.git.scratch import WORK_LEFT_BEHIND, sweep
from swarm.core.policy.intake_text import printable

#: Of what the command prints, this much of the end is kept for the message.
TAIL = 2000

_PREFIX = "sign-"


async def sign_with(
    settings: AttestationSettings, forge: LocalForge, what: tuple[str, str], folder: Path
) -> None:
    """Run `settings.sign` for (repository, commit) in a fresh folder below `folder`.

    The command must itself be safe to repeat: after a crash it runs again. Raises SigningFailed.
    """
    repo, commit = what
    clone = forge.clone(repo)
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    await asyncio.to_thread(sweep, folder, _PREFIX, WORK_LEFT_BEHIND)
    scratch = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix=_PREFIX, dir=folder))
    try:
        filled = {
            "{commit}": commit,
            "{clone}": str(clone.folder),
            "{python}": sys.executable,
            "{checkout}": str(scratch / "checkout"),
        }
        if any("{checkout}" in part for part in settings.sign):
            await forge.export(repo, commit, scratch / "checkout", with_history=False)
        argv = [_fill(part, filled) for part in settings.sign]
        env = _environment(settings, commit, str(clone.folder))
        await _run(argv, env, scratch, settings.sign_timeout.total_seconds())
    finally:
        await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)


def _fill(part: str, filled: Mapping[str, str]) -> str:
    for name, value in filled.items():
        part = part.replace(name, value)
    return part


def _environment(settings: AttestationSettings, commit: str, clone: str) -> dict[str, str]:
    names = ("PATH", "HOME", "LANG", *settings.environment)
    env = {name: os.environ[name] for name in names if name in os.environ}
    env |= {"SWARM_COMMIT": commit, "SWARM_CLONE": clone}
    if settings.allowed_signers is not None:
        env["SWARM_TAG"] = tag_name(settings, commit)
    if settings.provenance is not None:
        env["SWARM_ENVELOPE"] = str(settings.provenance.envelope_of(commit))
        env["SWARM_SOURCE"] = settings.provenance.source
    return env


async def _run(argv: list[str], env: Mapping[str, str], cwd: Path, seconds: float) -> None:
    with tempfile.TemporaryFile() as said:
        try:
            child = await asyncio.create_subprocess_exec(
                *argv,
                env=env,
                cwd=cwd,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
        except OSError as error:
            raise SigningFailed(f"cannot run {printable(argv[0])}: {error.strerror}") from error
        try:
            async with asyncio.timeout(seconds):
                code = await child.wait()
        except TimeoutError as error:
            raise SigningFailed(f"{printable(argv[0])} did not end in {seconds:g} s") from error
        finally:
            # The whole group: a command that ended may have left something that goes on.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            await child.wait()
        if code:
            said.seek(max(0, said.seek(0, os.SEEK_END) - TAIL))
            tail = printable(said.read().decode("utf-8", "replace").strip())
            raise SigningFailed(f"{printable(' '.join(argv))} ended with {code}: {tail}")
