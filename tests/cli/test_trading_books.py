"""When books differ, and when two order paths want the same ones: with `up` and the verbs."""

import shutil
import tempfile
from pathlib import Path

import pytest

from swarm.adapters.paper.exchange import PaperExchange
from swarm.runtime import background

from .firm import Firm, firm, token

__all__ = ["firm"]
pytestmark = [pytest.mark.req("REG-10"), pytest.mark.slow]


def test_a_venue_that_lost_its_memory_is_traded_on_again_once_a_person_accepts_its_books(firm):
    with firm.market as market:
        market.quote(9_999, 10_001)
        firm.in_force()
        firm.on_the_ladder("drift")
        with firm.trading():
            assert firm.send("o-1", quantity=10, price=10_001)["ruling"] == "accept"
            firm.wait_for(lambda one: one["positions"])
            with market.away():
                market.exchange = PaperExchange(["ACME", "CRUDE"])
            market.quote(9_999, 10_001)
            seen = set()
            while True:
                held = firm.wait_for(lambda one: one["breaks"] or not one["positions"])
                if not held["breaks"]:
                    break
                for one in held["breaks"]:
                    assert one["broken"] not in seen, "a break that was accepted came back"
                    seen.add(one["broken"])
                    given = token(firm, one["broken"], one["broken"], by="ben")
                    undone = firm("undo", one["broken"], "--token", given)
                    assert undone.code == 0, undone.err
            background.stop(firm.home)
            background.start(firm.home)
            held = firm.wait_for(lambda one: one["open"] and not one["held_back"])
            assert (held["breaks"], held["positions"]) == ([], [])
            assert firm.send("o-2", quantity=1, price=10_001)["ruling"] == "accept"


def test_a_second_installation_under_the_same_chain_is_refused_by_name(firm, verb):
    folder = Path(tempfile.mkdtemp(prefix="swarm-firm-"))
    second = Firm(folder, firm.dsn, verb)
    second.home.file.write_text(firm.home.file.read_text())
    second.keys = firm.keys
    try:
        with firm.market as market, second.market:
            market.quote(9_999, 10_001)
            firm.in_force()
            with firm.trading():
                background.start(second.home)
                try:
                    held = second.wait_for(lambda one: "SWM348" in str(one.get("why")))
                    assert str(firm.home.folder)[:20] in held["why"]
                    assert "trading.chain" in held["why"]
                    # The first one was not taken from.
                    assert firm.send("o-1", quantity=1)["refusals"][0]["reason"] == "RungUnknown"
                    background.stop(firm.home)
                    second.wait_for(lambda one: one["open"])
                finally:
                    background.stop(second.home)
    finally:
        shutil.rmtree(folder)
