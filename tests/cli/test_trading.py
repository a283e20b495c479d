"""Trading from end to end: `up` with a table [trading], a paper venue on its socket, people with
keys, and the verbs. Only the market is made by the test."""

import os
import signal
import time
from pathlib import Path

import pytest

from swarm.regime.limits.instrument import SECOND
from swarm.runtime import background
from swarm.testing.trading import collar, instrument

from .firm import at_ns, firm, token

__all__ = ["firm"]
pytestmark = [pytest.mark.req("REG-10"), pytest.mark.slow]


def test_orders_go_out_and_a_loss_is_alerted_within_a_second_and_nothing_may_grow(firm):
    wide = instrument(collar=collar(window_ticks=100_000))
    with firm.market as market:
        market.quote(9_999, 10_001)
        firm.in_force(instruments=(wide, instrument("CRUDE", sector="oil")))
        firm.on_the_ladder("drift")
        with firm.trading():
            # An order goes out, fills, and is sent once.
            first = firm.send("o-1", quantity=100, price=10_001)
            assert first["ruling"] == "accept", first
            again = firm("send", firm.home.folder / "o-1.json")
            assert (again.code, again.out) == (0, "o-1: repeat\n")
            other = firm.send("o-1", quantity=99, price=10_001)
            assert [one["reason"] for one in other["refusals"]] == ["IdReused"]
            held = firm.wait_for(lambda one: one["positions"])["positions"]
            assert held == [{"account": "main", "symbol": "ACME", "lots": 100}]
            assert firm.send("o-3", quantity=300, price=10_001)["ruling"] == "accept"
            firm.wait_for(lambda one: one["positions"][0]["lots"] == 400)
            assert firm.events("alert.raised") == []
            firm.wait_for_words(["drift", True])
            quiet = firm("watch", "--lasts", "500ms")
            assert (quiet.code, quiet.out) == (0, ""), quiet.out
            # 400 lots lose 5,000 ticks of a cent: 2 % of the capital, where 1.5 % are allowed.
            begun = time.time_ns()
            market.quote(4_999, 5_001)
            alert = firm.wait_for_event("alert.raised", subject="limit:drawdown_ppm")
            assert alert["lag_ms"] < 1_000
            assert (at_ns(alert) - begun) < SECOND
            firm.wait_for(lambda _: "drawdown_ppm is 2" in firm.channel())
            assert "alert.raised" in firm.channel()
            refused = firm.send("o-9", quantity=1, price=5_000)
            assert "LimitBreached" in {one["reason"] for one in refused["refusals"]}
            firm.wait_for_words(["drift", True], ["drift", False])
            loud = firm("watch", "--lasts", "500ms")
            assert loud.code == 3
            assert "ALERT  limit:drawdown_ppm  drawdown_ppm is 2" in loud.out
            less = firm.send("o-10", quantity=10, price=4_999, side="sell")
            assert less["ruling"] == "accept", "reducing is let through"


def test_a_kill_works_with_the_database_down_and_only_a_token_lifts_it(firm):
    with firm.market as market:
        market.quote(9_999, 10_001)
        firm.in_force()
        firm.on_the_ladder("drift")
        with firm.trading():
            for number in range(3):
                rests = firm.send(f"o-{number}", quantity=1, price=9_960 + number)
                assert rests["ruling"] == "accept"
            firm.wait_for(lambda one: one["working"] == 3)
            with firm.database_down():
                unwritten = firm.send("o-8", quantity=1)
                assert "RecordUnwritten" in {one["reason"] for one in unwritten["refusals"]}
                said = firm("kill", "--reason", "odd fills", "-o", "json")
                assert said.code == 0, said.err
                assert said.json["silent"] == {}
                assert market.do(lambda exchange: exchange.books_now().working) == ()
            kill = said.json["kill"]
            firm.wait_for(lambda one: one["open"] and not one["unwritten"])
            refused = firm.send("o-9", quantity=1)
            assert [one["reason"] for one in refused["refusals"]] == ["Killed"]
            assert f"kill {kill} of *" in firm.verb("doctor", "--home", firm.home.folder).out
            # Only a token, and only the right one.
            stranger = firm("token", kill, "--key", firm.keys["eve"], "--out", "/nonexistent/x")
            assert stranger.code == 4
            good = token(firm, kill, "good")
            assert firm("undo", "k-other", "--token", good).code == 1
            forged = firm.home.folder / "forged.json"
            forged.write_text(good.read_text().replace('"sol"', '"ben"'))
            assert "nobody listed signed it" in firm("undo", kill, "--token", forged).err
            lifted = firm("undo", kill, "--token", good)
            assert lifted.code == 0, lifted.err
            assert firm.send("o-10", quantity=1)["ruling"] == "accept"
            again = firm("kill", "--scope", "strategy:drift", "--reason", "again", "-o", "json")
            assert again.code == 0
            assert "SWM" in firm("undo", again.json["kill"], "--token", good).err
            # A restart keeps what is stopped.
            background.stop(firm.home)
            background.start(firm.home)
            held = firm.wait_for(lambda one: one["open"] and one["monitored"])
            assert [one["scope"] for one in held["kills"]] == ["strategy:drift"]
        # And with nobody there at all.
        said = firm("kill", "--reason", "nobody is there", "-o", "json")
        assert said.code == 0
        assert said.json["unseen"]


def test_one_control_is_set_aside_for_one_order_by_two_people(firm):
    with firm.market as market:
        market.quote(9_999, 10_001)
        firm.in_force()
        firm.on_the_ladder("drift")
        with firm.trading():
            order = firm.order("o-far", price=9_940)
            refused = firm("send", order)
            assert refused.code == 6
            assert "control 2, PriceOutside" in refused.out
            words = ("--control", "collar", "--verified-by", "ben", "--authorised-by", "sol")
            out = firm.home.folder / "override.json"
            one = firm("override", order, "--key", firm.keys["ben"], "--out", out, *words)
            assert "sol signs next" in one.out, one.err
            half = firm("send", order, "--override", out)
            assert (half.code, "sol has not signed it" in half.err) == (1, True)
            two = firm("override", order, "--key", firm.keys["sol"], "--out", out)
            assert "both have signed" in two.out, two.err
            other = firm("send", firm.order("o-other", price=9_940), "--override", out)
            assert "for another order" in other.err
            # ada may verify, but she wrote the limits.
            own = firm.home.folder / "own.json"
            words = ("--control", "collar", "--verified-by", "ada", "--authorised-by", "sol")
            for key in ("ada", "sol"):
                firm("override", order, "--key", firm.keys[key], "--out", own, *words)
            assert "ada is an author" in firm("send", order, "--override", own).err
            # The refused id is free: nothing of it was ever sent.
            good = firm("send", order, "--override", out, "-o", "json")
            assert good.code == 0, good.err
            assert (good.json["ruling"], good.json["overridden"]) == ("accept", "COLLAR")


def test_other_limits_hold_from_the_next_order_on_and_a_stop_ends_everything(firm):
    with firm.market as market:
        market.quote(9_999, 10_001)
        firm.in_force()
        firm.on_the_ladder("drift")
        with firm.trading():
            monitor = firm.monitor()
            assert firm.send("o-1", quantity=100)["ruling"] == "accept"
            tight = instrument(max_quantity=50)
            firm.in_force(2, instruments=(tight, instrument("CRUDE", sector="oil")))
            firm.wait_for(lambda one: one["limits"]["version"] == 2)
            refused = firm.send("o-2", quantity=51)
            assert "QuantityTooLarge" in {one["reason"] for one in refused["refusals"]}
            # The monitor holds by the new ones too, and somebody watches all the time.
            firm.wait_for(lambda one: one["monitored"] and firm.monitor() not in {None, monitor})
            # A monitor that is killed comes back.
            second = firm.monitor()
            os.kill(second, signal.SIGKILL)
            firm.wait_for_event("service.lost")
            firm.wait_for(lambda one: one["monitored"] and firm.monitor() not in {None, second})
            assert len(firm.events("service.lost")) == 1, "other limits are no loss"
            # One that hangs says nothing any more: it is ended, and another one begins.
            third = firm.monitor()
            os.kill(third, signal.SIGSTOP)
            firm.wait_for(lambda one: not one["monitored"])
            firm.wait_for(lambda one: one["monitored"] and firm.monitor() not in {None, third})
            assert not Path(f"/proc/{third}").exists()
            last = firm.monitor()
            # Nobody would watch what still works.
            assert firm.send("o-3", quantity=1, price=9_960)["ruling"] == "accept"
            background.stop(firm.home)
            assert market.do(lambda exchange: exchange.books_now().working) == ()
            assert not Path(f"/proc/{last}").exists()
            assert not (firm.home.trading / "door").exists()
            assert firm.status()["open"] is False
            verified = firm("records", "verify")
            assert verified.code == 0
            assert "unbroken" in verified.out


def test_a_dark_venue_stops_what_would_grow_and_its_return_needs_no_hand(firm):
    with firm.market as market:
        market.quote(9_999, 10_001)
        firm.in_force(max_age_ns=2 * SECOND)
        firm.on_the_ladder("drift")
        with firm.trading():
            assert firm.send("o-1", quantity=10, price=10_001)["ruling"] == "accept"
            firm.wait_for(lambda one: one["positions"])
            with market.away():
                firm.wait_for_event("alert.raised", subject="venue:paper")
                firm.wait_for(lambda one: one["open"] and one["breaches"])
                refused = firm.send("o-2", quantity=1)
                assert "RegimeUnknown" in {one["reason"] for one in refused["refusals"]}
            firm.wait_for_event("alert.ended", subject="venue:paper")
            status = firm.wait_for(lambda one: not one["held_back"])
            assert (status["positions"][0]["lots"], status["breaks"]) == (10, [])
            assert firm.send("o-3", quantity=1)["ruling"] == "accept"
            assert [passed for _, passed in firm.words()] == [True], "dark is no breach"
