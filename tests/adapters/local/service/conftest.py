"""Real targets: a folder, a free port, checkouts of the sample service, and a clean machine."""

import asyncio
import json
import os
import shutil
import signal
import sys
import threading
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import httpcore
import pytest

from swarm.adapters.local.service import detached
from swarm.adapters.local.service.service import LocalService
from swarm.adapters.local.service.settings import ServiceSettings
from swarm.adapters.local.service.versions import free_port

from .prometheus import Served

SAMPLE = Path(__file__).with_name("sample_service.py")
OLD, NEW, THIRD = "a" * 40, "b" * 40, "c" * 40


class Bench:
    """One target under test, with everything around it."""

    def __init__(self, folder, **changes):
        self.folder = folder / "target"
        self.checkouts = folder / "checkouts"
        self.settings = ServiceSettings(
            **{
                "name": "orders",
                "port": free_port(),
                "run": (sys.executable, "sample_service.py", "--port", "{port}"),
                "health_path": "/healthz",
                "version_path": "/version",
                "start_within": timedelta(seconds=15),
                "stop_within": timedelta(seconds=3),
                **changes,
            }
        )
        self.service = self.controller()

    def controller(self):
        """Another controller of the same target, as after a restart."""
        return LocalService(self.settings, self.folder)

    def checkout(self, revision, **behaviour):
        path = self.checkouts / revision
        path.mkdir(parents=True, exist_ok=True)
        shutil.copy(SAMPLE, path)
        (path / "behaviour.json").write_text(json.dumps(behaviour))
        return path

    async def up(self, **behaviour):
        return await self.service.bootstrap(OLD, self.checkout(OLD, **behaviour), "boot")

    async def canary(self, percent=None, **behaviour):
        done = await self.service.start_canary(NEW, self.checkout(NEW, **behaviour), "start")
        if percent is not None:
            await self.service.set_traffic(percent, f"set-{percent}")
        return done

    async def get(self, path="/", **more):
        """(status, headers, body) through the proxy, as a client gets it."""
        async with httpcore.AsyncConnectionPool() as pool:
            url = f"http://127.0.0.1:{self.settings.port}{path}"
            method = more.pop("method", "GET")
            response = await pool.request(method, url, **more)
            headers = [(n.decode().lower(), v.decode()) for n, v in response.headers]
            return response.status, headers, response.content

    async def traffic(self, requests, at_once=8):
        """Answers by body; a broken connection counts as `broken`."""
        answers = {}
        gate = asyncio.Semaphore(at_once)

        async def one():
            async with gate:
                try:
                    status, _, body = await self.get()
                    said = body.decode() if status == 200 else str(status)
                except (httpcore.NetworkError, httpcore.ProtocolError):
                    said = "broken"
                answers[said] = answers.get(said, 0) + 1

        await asyncio.gather(*(one() for _ in range(requests)))
        return answers

    def processes(self):
        """Everything alive that belongs to this target."""
        return detached.marked(f"{self.folder}#")

    def record(self, arm):
        return json.loads((self.folder / "state.json").read_text())[arm]

    def proxy_pid(self):
        return json.loads((self.folder / "proxy.json").read_text())["pid"]


def kill(pid):
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


async def _get_from(port):
    async with httpcore.AsyncConnectionPool() as pool:
        response = await pool.request("GET", f"http://127.0.0.1:{port}/")
        return response.content.decode() if response.status == 200 else str(response.status)


@pytest.fixture
def get_from():
    """What answers a request to this port: a revision, or a status that is not 200."""
    return _get_from


@pytest.fixture(scope="session")
def bench_class():
    return Bench


@pytest.fixture
async def make(tmp_path):
    """Makes targets, and proves that stopping them leaves no process behind."""
    made = []

    def build(**changes):
        bench = Bench(tmp_path / str(len(made)), **changes)
        made.append(bench)
        return bench

    yield build
    for bench in made:
        if bench.folder.exists():
            await bench.controller().clean()
        left = bench.processes()
        for pid in left:
            kill(pid)
        assert left == {}


@pytest.fixture
def target(make):
    return make()


@pytest.fixture
def server():
    served = Served()
    thread = threading.Thread(target=served.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield served
    served.http.shutdown()
    thread.join()
    served.http.server_close()
