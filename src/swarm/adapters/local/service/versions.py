"""Starts one version of a service, waits until it is healthy, and asks which revision it is."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from swarm.adapters.local.process.editable import led_to
from swarm.adapters.local.process.workspace import link_packages
from swarm.adapters.local.service import detached, listener
from swarm.adapters.local.service.asking import LOOPBACK, ask, is_revision, revision_in
from swarm.adapters.local.service.detached import Process
from swarm.adapters.local.service.errors import BadTarget
from swarm.adapters.local.service.settings import ServiceSettings, fill
from swarm.adapters.local.service.state import Version

_REVISION = re.compile(r"^[0-9A-Za-z][0-9A-Za-z._-]{0,127}$")
# Twice, a moment apart: a program that answers once and dies is not healthy.
_HEALTHY_ANSWERS = 2
_BETWEEN = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Whether a version may take traffic, and why not."""

    healthy: bool
    detail: str = ""


class Versions:
    """The versions of one service on this machine."""

    def __init__(
        self, settings: ServiceSettings, folder: Path, repository: Path | None = None
    ) -> None:
        self._settings = settings
        self._folder = folder
        self._repository = repository

    def mark(self, revision: str) -> str:
        """What every process of this version carries in its environment."""
        return f"{self._folder}#{revision}"

    def log(self, revision: str) -> Path:
        """Where a version's output goes."""
        return log_of(self._folder, revision)

    async def start(self, revision: str, checkout: Path) -> Version:
        """Start a version on a free port. What an interrupted start left behind is ended first.

        Raises BadTarget when the revision or the checkout cannot be used, or the command cannot
        be executed.
        """
        if not _REVISION.match(revision):
            raise BadTarget(f"{revision!r} is no revision; letters, digits, . _ - only")
        if not await asyncio.to_thread(checkout.is_dir):
            raise BadTarget(f"{checkout} is no folder; the checkout of {revision} is needed")
        await self.clear(revision)
        self.log(revision).unlink(missing_ok=True)
        port = free_port()
        values = {
            "port": str(port),
            "revision": revision,
            "checkout": str(checkout),
            "target": self._settings.name,
            "python": sys.executable,
        }
        try:
            await asyncio.to_thread(link_packages, checkout, self._repository)
            process = await asyncio.to_thread(
                detached.spawn,
                [fill(part, values) for part in self._settings.run],
                cwd=checkout,
                env=led_to(checkout, self._repository, self._environment(values)),
                log=self.log(revision),
                mark=self.mark(revision),
            )
        except OSError as error:
            raise BadTarget(
                f"target {self._settings.name}: {self._settings.run[0]} cannot be started: "
                f"{error.strerror or error}"
            ) from error
        return Version(
            revision=revision,
            checkout=str(checkout),
            port=port,
            pid=process.pid,
            started=process.started,
        )

    def _environment(self, values: dict[str, str]) -> dict[str, str]:
        passed = {n: os.environ[n] for n in self._settings.pass_env if n in os.environ}
        return {
            **passed,
            **self._settings.env,
            "PORT": values["port"],
            "SWARM_REVISION": values["revision"],
            "SWARM_TARGET": values["target"],
        }

    def lost_its_port(self, version: Version) -> bool:
        """Whether a version ended because somebody else took its port before it could."""
        return not self.alive(version) and not is_free(version.port)

    async def wait_healthy(self, version: Version) -> Health:
        """Wait until a version answers its health check and names its own revision."""
        seconds = self._settings.start_within.total_seconds()
        until, answered, last = time.monotonic() + seconds, 0, "no answer"
        while time.monotonic() < until:
            if not self.alive(version):
                words = detached.tail(self.log(version.revision))
                return Health(healthy=False, detail=f"it ended while starting: {words}"[:2000])
            said = await ask(version.port, self._settings.health_path)
            if said is not None and said.ok:
                answered += 1
                if answered >= _HEALTHY_ANSWERS:
                    return await self._names_itself(version)
            else:
                answered, last = 0, f"status {said.status}" if said else "no answer"
            await asyncio.sleep(_BETWEEN)
        return Health(
            healthy=False,
            detail=f"not healthy within {seconds:g} s: {self._settings.health_path} gave {last}",
        )

    async def _names_itself(self, version: Version) -> Health:
        named = await self.revision_at(version.port)
        if is_revision(named, version.revision):
            return Health(healthy=True)
        said = f"says it is {named}" if named else "does not say which revision it is"
        return Health(healthy=False, detail=f"port {version.port} {said}, not {version.revision}")

    async def is_healthy(self, version: Version) -> bool:
        """Whether a version answers its health check now."""
        said = await ask(version.port, self._settings.health_path)
        return said is not None and said.ok

    async def revision_at(self, port: int) -> str:
        """The revision that the process on a port really is, asked of itself; "" if unknown."""
        if self._settings.version_path is not None:
            return revision_in(await ask(port, self._settings.version_path))
        return await asyncio.to_thread(listener.revision_of, port)

    def alive(self, version: Version) -> bool:
        """Whether exactly the process that was started still runs."""
        return detached.alive(version.pid, version.started)

    async def stop(self, version: Version) -> None:
        """End a version and everything it started. Stopping what is gone is success."""
        within = self._settings.stop_within.total_seconds()
        process = Process(
            pid=version.pid, started=version.started, mark=self.mark(version.revision)
        )
        await detached.end(process, within)

    async def clear(self, revision: str) -> None:
        """End whatever carries a version's mark, recorded or not."""
        if await asyncio.to_thread(detached.marked, self.mark(revision)):
            await detached.end(Process(pid=0, started="", mark=self.mark(revision)), 1.0)


def log_of(folder: Path, revision: str) -> Path:
    """Where a version of the service in this folder prints."""
    return folder / f"{revision}.log"


def free_port() -> int:
    """A loopback port that nobody has at this moment."""
    with socket.socket() as found:
        found.bind((LOOPBACK, 0))
        return int(found.getsockname()[1])


def is_free(port: int) -> bool:
    """Whether nobody listens on a loopback port."""
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((LOOPBACK, port))
        except OSError:
            return False
        return True
