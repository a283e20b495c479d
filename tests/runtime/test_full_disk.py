"""A controller that cannot write says in a line which file, and what mends it."""

import errno
import os

import pytest

from swarm.runtime import supervise


def failing(number, *more):
    async def serve(_home, _stop, _seat):
        raise OSError(number, os.strerror(number), *more)

    return serve


@pytest.mark.parametrize(
    ("number", "more", "told"),
    [
        (errno.ENOSPC, (), "/.swarm: No space left on device"),
        (errno.EDQUOT, ("/x/controller.new",), "/x/controller.new: Disk quota exceeded"),
        (errno.EACCES, ("/x/clones",), "/x/clones: Permission denied"),
    ],
)
def test_no_trace_is_printed_for_a_disk_or_a_file(
    tmp_path, monkeypatch, capsys, number, more, told
):
    """`up` printed one of thirty lines where the disk was full."""
    monkeypatch.setattr(supervise, "serve", failing(number, *more))
    assert supervise.main(str(tmp_path)) == 1
    first, fix = capsys.readouterr().err.splitlines()
    assert first.startswith("error SWM614: ")
    assert first.endswith(told)
    assert fix.startswith("fix:  Free space")


def test_what_names_no_file_keeps_its_trace(tmp_path, monkeypatch):
    monkeypatch.setattr(supervise, "serve", failing(errno.EINVAL))
    with pytest.raises(OSError, match="Invalid argument"):
        supervise.main(str(tmp_path))
