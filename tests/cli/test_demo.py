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


def test_what_another_person_made_there_is_not_even_looked_at(temporary, capsys, monkeypatch):
    """Anybody may make a folder of that name, with settings and numbers of processes in it."""
    theirs = left(temporary / "swarm-demo-a")
    (temporary / "swarm-demo-b").symlink_to(temporary.parent)
    monkeypatch.setattr(verb, "stop", lambda _: pytest.fail("looked into it"))
    monkeypatch.setattr(verb.os, "geteuid", lambda: theirs.folder.stat().st_uid + 1)
    assert verb.demo(clean=True) == 0
    assert theirs.folder.exists()
    told = capsys.readouterr().out.splitlines()
    assert [line.partition(": ")[2] for line in told] == ["you did not make it"] * 2


def test_cleaning_removes_nothing_that_the_demo_only_points_at(temporary, tmp_path_factory):
    precious = tmp_path_factory.mktemp("precious")
    (precious / "photo").touch()
    demo = left(temporary / "swarm-demo-a")
    demo.database.symlink_to(precious)
    assert verb.demo(clean=True) == 0
    assert not demo.folder.exists()
    assert (precious / "photo").exists()


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
