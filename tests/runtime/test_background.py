"""Starting and stopping a controller behind a terminal: whom a number in a file stands for."""

from __future__ import annotations

import os
import subprocess
import sys

from swarm.runtime.background import stop
from swarm.runtime.home import Home


def test_a_stranger_with_the_number_of_a_controller_that_was_starting_is_left_alone(tmp_path):
    """`up` and its controller were killed; an editor with swarm.yaml open got the number."""
    place = Home(tmp_path)
    place.make()
    editor = subprocess.Popen(
        [sys.executable, "-c", "input()", "swarm.yaml"], stdin=subprocess.PIPE
    )
    try:
        place.starting.write_text(str(editor.pid), encoding="ascii")
        assert stop(place) is False
        assert editor.poll() is None
    finally:
        editor.kill()
        editor.communicate()


def test_what_is_no_number_stands_for_nobody(tmp_path):
    place = Home(tmp_path)
    place.make()
    for text in ("", "none", "-1", str(os.getpid())):
        place.starting.write_text(text, encoding="ascii")
        assert stop(place) is False
