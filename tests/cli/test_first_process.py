"""`up --foreground` as the first process of a container."""

import os
import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may make a container here"),
    pytest.mark.req("LOOP-11"),
]

CONTROLLER = """
import os, signal, sys, time
from pathlib import Path
from swarm.cli.first_process import be_apart_from_it

be_apart_from_it()
assert os.getpid() != 1
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
if os.fork() == 0:
    os.fork()  # has no parent but the first process, soon
    os._exit(0)
os.wait()

def states():
    for about in Path("/proc").glob("[0-9]*/stat"):
        yield about.read_text().rpartition(")")[2].split()[0]

until = time.monotonic() + 10
while len(found := list(states())) > 2 and time.monotonic() < until:
    time.sleep(0.01)
assert len(found) == 2, found
os.kill(1, signal.SIGTERM)
time.sleep(10)
"""


def test_orphans_are_collected_and_signals_and_the_exit_code_passed_on():
    apart = ("unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", CONTROLLER)
    ran = subprocess.run(apart, capture_output=True, text=True, check=False)
    if "unshare failed" in ran.stderr:
        pytest.skip("no container may be made here")
    assert ran.returncode == 7, ran.stderr
