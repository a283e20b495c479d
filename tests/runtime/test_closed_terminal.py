"""A controller in the foreground ends as cleanly with its terminal as with Ctrl-C."""

import asyncio
import os
import signal

import pytest

from swarm.runtime import supervise
from swarm.runtime.home import Home


async def ends_by(number, home, monkeypatch):
    async def serve(_home, stop, _seat):
        os.kill(os.getpid(), number)
        await asyncio.wait_for(stop.wait(), 0.5)

    monkeypatch.setattr(supervise, "serve", serve)
    await supervise.run(Home(home))


@pytest.fixture
def hung_up():
    """Sets what a hang-up does to this process; afterwards it does what it did."""
    before = signal.getsignal(signal.SIGHUP)
    yield lambda action: signal.signal(signal.SIGHUP, action)
    signal.signal(signal.SIGHUP, before)


@pytest.mark.req("LOOP-11")
async def test_a_closed_terminal_ends_it(tmp_path, monkeypatch, hung_up):
    hung_up(lambda *_: None)
    await ends_by(signal.SIGHUP, tmp_path, monkeypatch)


@pytest.mark.req("LOOP-11")
async def test_under_nohup_it_goes_on(tmp_path, monkeypatch, hung_up):
    hung_up(signal.SIG_IGN)
    with pytest.raises(TimeoutError):
        await ends_by(signal.SIGHUP, tmp_path, monkeypatch)
