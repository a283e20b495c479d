"""The door of the order path: bad requests are refused by name, and nothing of them is done."""

import asyncio
import json
import shutil
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from swarm.contract.errors import Refused, Unavailable
from swarm.regime.controls import override as overrides
from swarm.regime.controls.decision import Control
from swarm.regime.controls.errors import OverrideRefused, TokenRefused
from swarm.regime.controls.order import order_hash
from swarm.regime.controls.override import Override
from swarm.regime.limits.instrument import SECOND
from swarm.runtime.errors import BadSettings
from swarm.runtime.trading import statements
from swarm.runtime.trading.asking import ask
from swarm.runtime.trading.door import LINE_BYTES, Door
from swarm.runtime.trading.errors import (
    NobodyTrades,
    NothingToUndo,
    NotOpen,
)
from swarm.testing.trading import in_force, limit_set, trade_order

from .conftest import ROSTER, sign

pytestmark = pytest.mark.req("REG-10")


class Gate:
    """A door with an open path behind it, asked as another process would."""

    def __init__(self, door, path, socket):
        self.door, self.path, self.socket = door, path, socket

    async def __call__(self, what, given=None):
        return await asyncio.to_thread(ask, self.socket, what, given, patience=5)

    async def raw(self, line):
        reader, writer = await asyncio.open_unix_connection(self.socket)
        writer.write(line)
        await writer.drain()
        answer = await reader.readline()
        writer.close()
        return json.loads(answer) if answer else None

    async def send(self, order, **more):
        return await self("submit", {"order": asdict(order), **more})


@pytest.fixture
async def gate(desk):
    folder = Path(tempfile.mkdtemp(prefix="swarm-door-"))
    door = Door(folder / "door", ROSTER, lambda: {"monitored": True})
    async with door.opened():
        door.path = await desk.opened()
        yield Gate(door, door.path, folder / "door")
    shutil.rmtree(folder)


async def test_an_order_goes_through_and_only_once(gate, desk):
    assert (await gate.send(trade_order()))["ruling"] == "accept"
    assert (await gate.send(trade_order()))["ruling"] == "repeat"
    assert [one.order for one in desk.exchange.books_now().working] == ["o-1"]
    assert await gate("cancel", ["o-1", "o-none"]) == {"failed": []}
    assert desk.exchange.books_now().working == ()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param({"symbol": "NONE"}, "LimitsNotConfigured", id="unknown-instrument"),
        pytest.param({"sha": "beef"}, "ReleaseUnknown", id="unknown-revision"),
        pytest.param({"trader": "eve"}, "NotPermitted", id="unknown-trader"),
        pytest.param({"quantity": 0}, "QuantityImpossible", id="nothing"),
        pytest.param({"id": ""}, "FieldMissing", id="no-id"),
    ],
)
async def test_what_the_gate_refuses_is_told_with_its_reason(gate, desk, change, reason):
    said = await gate.send(trade_order(**change))
    assert said["ruling"] == "reject"
    assert reason in {one["reason"] for one in said["refusals"]}
    assert all(one["detail"] for one in said["refusals"])
    assert desk.exchange.reports == []


def stranger():
    """A plain order, and one field more that its sender believes in."""
    order = {**asdict(trade_order()), "stop_price": 9_000}
    return json.dumps({"do": "submit", "with": {"order": order}}).encode() + b"\n"


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"\n", id="empty"),
        pytest.param(b"rain\n", id="no-json"),
        pytest.param(b"[]\n", id="no-object"),
        pytest.param(b'{"do": 1}\n', id="no-word"),
        pytest.param(b'{"do": "dance"}\n', id="nothing-that-is-done"),
        pytest.param(b'{"do": "submit"}\n', id="no-order"),
        pytest.param(b'{"do": "submit", "with": {"order": {"id": "o"}}}\n', id="half-an-order"),
        pytest.param(b'{"do": "cancel", "with": "o-1"}\n', id="no-list"),
        pytest.param(b'{"do": "undo", "with": {"token": {}}}\n', id="half-a-token"),
        pytest.param(
            b'{"do": "cancel", "with": [], "do": "status", "with": {}}\n', id="a-field-twice"
        ),
        pytest.param(stranger(), id="an-order-with-a-field-that-means-nothing"),
        pytest.param(b"\xff\xff\n", id="no-text"),
        pytest.param(b"[" * 100_000 + b"\n", id="deep"),
    ],
)
async def test_what_is_no_request_is_refused_and_the_door_stays_open(gate, desk, line):
    said = await gate.raw(line)
    assert said["error"]["code"] == "SWM686"
    assert said["error"]["fix"]
    assert (await gate("status"))["open"]
    assert desk.exchange.reports == []


async def test_a_line_without_an_end_is_dropped_and_the_door_stays_open(gate):
    assert await gate.raw(b"x" * (LINE_BYTES + 10)) is None
    assert (await gate("status"))["open"]


async def test_errors_are_the_same_on_both_sides_of_the_door(gate, desk):
    killed = await gate.path.kill(scope="*", by="tom", reason="r")
    token, good = desk.token("lift-kill", killed.kill)

    async def undo(given, signature):
        signed = statements.SignedToken(token=given, signature=signature)
        return await gate("undo", json.loads(statements.write(signed)))

    with pytest.raises(TokenRefused, match="nobody listed signed it"):
        await undo(token, sign("ben", b"something else"))
    with pytest.raises(TokenRefused, match="not valid now"):
        await undo(*desk.token("lift-kill", killed.kill, expires_ns=desk.now - 1))
    with pytest.raises(TokenRefused, match="longer than an hour"):
        await undo(*desk.token("lift-kill", killed.kill, expires_ns=desk.now + 3_601 * SECOND))
    with pytest.raises(TokenRefused, match="may not lift-kill"):
        await undo(*desk.token("lift-kill", killed.kill, by="eve"))
    with pytest.raises(NothingToUndo):
        await undo(*desk.token("lift-kill", "k-other"))
    assert (await undo(token, good))["by"] == "sol"
    with pytest.raises(NothingToUndo):
        await undo(token, good)


async def test_while_it_is_closed_it_says_why(gate):
    gate.door.path, gate.door.why = None, "no limits"
    with pytest.raises(NotOpen, match="no limits"):
        await gate.send(trade_order())
    assert await gate("status") == {"open": False, "why": "no limits", "monitored": True}


async def test_nobody_behind_the_socket_is_unavailable_and_no_refusal(tmp_path):
    with pytest.raises(NobodyTrades) as found:
        ask(tmp_path / "door", "status")
    assert isinstance(found.value, Unavailable)
    assert not isinstance(found.value, Refused)


def test_a_folder_that_is_too_deep_is_refused_before_anything_begins(tmp_path):
    with pytest.raises(BadSettings, match="100 bytes"):
        Door(tmp_path / ("x" * 120) / "door", ROSTER, dict).check()


# --- two people ----------------------------------------------------------------------------------

ORDER = trade_order(price=9_940)


def given(**change):
    plain = Override(
        order_hash=order_hash(ORDER), control=Control.COLLAR, expires_ns=10**9 * 600,
        verified_by="ben", authorised_by="sol", nonce="n" * 16,
    )  # fmt: skip
    return replace(plain, **change)


def signed(override, *by):
    text = overrides.statement(override)
    return statements.SignedOverride(
        override=override, signatures={one: sign(one, text) for one in by}
    )


def verified(held, limits=None, order=ORDER):
    return statements.verified(held, order, limits or in_force(), ROSTER, 1)


def test_an_override_of_two_people_counts():
    assert verified(signed(given(), "ben", "sol")) == given()


@pytest.mark.parametrize(
    ("held", "why"),
    [
        pytest.param(signed(given(), "ben"), "sol has not signed", id="one-signature"),
        pytest.param(signed(given()), "ben has not signed", id="no-signature"),
        pytest.param(
            replace(signed(given(), "ben", "sol"), override=given(control=Control.QUANTITY)),
            "has not signed", id="another-control-than-was-signed",
        ),
        pytest.param(
            replace(signed(given(), "ben", "sol"), override=given(expires_ns=10**9 * 601)),
            "has not signed", id="longer-than-was-signed",
        ),
        pytest.param(
            statements.SignedOverride(
                override=given(),
                signatures=dict.fromkeys(("ben", "sol"), sign("sol", overrides.statement(given()))),
            ),
            "ben has not signed", id="one-person-for-both",
        ),
        pytest.param(
            signed(given(authorised_by="ben"), "ben"), "cannot be both", id="one-person-twice"
        ),
        pytest.param(
            signed(given(verified_by="ada"), "ada", "sol"), "ada is an author",
            id="who-wrote-the-limits",
        ),
        pytest.param(
            signed(given(verified_by="tom"), "tom", "sol"), "own order", id="the-trader"
        ),
        pytest.param(
            signed(given(verified_by="sol", authorised_by="ben"), "ben", "sol"), "may not verify",
            id="roles-turned-round",
        ),
    ],
)  # fmt: skip
def test_an_override_of_anybody_else_does_not(held, why):
    with pytest.raises(OverrideRefused, match=why):
        verified(held)


def test_who_wrote_the_strategy_sets_nothing_aside_for_it():
    releases = tuple(replace(one, author="ben") for one in limit_set().releases)
    with pytest.raises(OverrideRefused, match="ben is an author"):
        verified(signed(given(), "ben", "sol"), in_force(limit_set(releases=releases)))
