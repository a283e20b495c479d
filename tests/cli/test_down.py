"""`down`: what it stops, and what it says of a controller that it does not stop."""

from __future__ import annotations

import pytest

from swarm.runtime.seat import taken


@pytest.fixture
def stopped(monkeypatch):
    """The installations whose local services were stopped."""
    found = []
    monkeypatch.setattr("swarm.runtime.wiring.stop_local", found.append)
    return found


@pytest.mark.req("OWN-3")
def test_a_second_controller_is_named_and_keeps_its_services(place, stopped):
    place.home.make()
    with taken(place.home.state / "two.lock", "c2"):
        said = place("down", "--quiet")
    assert said.code == 0
    assert "nothing was running in the background" in said.out
    assert "warning: two is still at work here" in said.err
    assert not stopped


def test_a_seat_that_was_left_holds_nothing(place, stopped):
    place.home.make()
    with taken(place.home.state / "two.lock", "c2"):
        pass
    said = place("down")
    assert said.out == f"nothing was running for {place.home.folder}\n"
    assert "warning" not in said.err
    assert stopped == [place.home]
