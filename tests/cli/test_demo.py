"""What `swarmctl demo` leaves: nothing running, and word of what it made."""

import pytest

from swarm.cli import demo as verb
from swarm.runtime.home import Home
from swarm.runtime.seat import taken


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(verb.tempfile, "tempdir", str(tmp_path))
    return tmp_path


def left(folder):
    home = Home(folder)
    home.make()
    return home


def test_a_demo_that_is_at_work_is_not_cleaned_away(temporary, capsys):
    """In another terminal, or by another person with the same folder for temporary files."""
    ended, lively = left(temporary / "swarm-demo-a"), left(temporary / "swarm-demo-b")
    (ended.state / "demo.lock").touch()
    with taken(lively.state / "demo.lock", "demo"):
        assert verb.demo(clean=True) == 0
    assert not ended.folder.exists()
    assert lively.folder.exists()
    assert capsys.readouterr().out.splitlines() == [
        f"removed {ended.folder}", f"left alone {lively.folder}: a demo is at work there",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("folder", "remedy"), [(None, "swarmctl demo --clean"), ("my demo", "rm -r '{}'")]
)
def test_whoever_is_interrupted_is_told_what_is_left(
    temporary, capsys, monkeypatch, folder, remedy
):
    def interrupted(folder, *, fast):
        raise KeyboardInterrupt

    monkeypatch.setattr(verb.sample, "make", interrupted)
    with pytest.raises(KeyboardInterrupt):
        verb.demo(folder=temporary / folder if folder else None)
    (made,) = temporary.iterdir()
    told = capsys.readouterr().err
    assert f"nothing runs any more; what was made is in {made}" in told
    assert f"remove it: {remedy.format(made)}" in told
