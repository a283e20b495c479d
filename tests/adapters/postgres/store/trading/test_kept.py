"""Limit sets, evidence and assessments as they are kept; the chain is tried with the order path."""

import json
from dataclasses import replace

import pytest

from swarm.adapters.postgres.store.errors import RecordUnreadable
from swarm.adapters.postgres.store.regime.errors import ToldOtherwise
from swarm.adapters.postgres.store.trading.codec import decode, encode, kind_of
from swarm.adapters.postgres.store.trading.evidence import ControlEvidences
from swarm.adapters.postgres.store.trading.limit_sets import LimitSets, read_limit_set
from swarm.ports.gate_records import Decided
from swarm.regime.controls import events as happened
from swarm.regime.controls.assessment import REQUIRED, Signature
from swarm.regime.controls.pretrade import pretrade
from swarm.regime.limits.errors import LimitsInvalid
from swarm.regime.limits.instrument import SECOND
from swarm.regime.limits.limit_set import canonical_bytes, content_hash
from swarm.regime.limits.people import Act
from swarm.regime.nouns import Regime, Rung
from swarm.testing.trading import (
    NOON,
    PEOPLE,
    in_force,
    ledger,
    limit_set,
    metrics,
    trade_order,
)

pytestmark = pytest.mark.req("REG-10")


async def test_a_limit_set_comes_back_with_the_hash_that_was_signed(database):
    store = LimitSets(database, "desk")
    await store.put(in_force(), "signature")
    await store.put(in_force(), "signature")
    await store.put(in_force(limit_set(version=2, firm=7)), "signature")
    found = await store.newest(5)
    assert [one.limits.version for one in found] == [2, 1]
    assert found[1].limits == limit_set()
    assert all(content_hash(one.limits) == one.hash for one in found)
    with pytest.raises(ToldOtherwise):
        await store.put(in_force(limit_set(version=2, firm=8)), "signature")
    assert await LimitSets(database, "other").newest() == []


def spoiled(change):
    body = json.loads(canonical_bytes(limit_set()))
    change(body)
    return json.dumps(body).encode()


@pytest.mark.parametrize(
    "text",
    [
        b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, b" " * (16 * 1024 * 1024 + 1),
        spoiled(lambda body: body.update(schema=2)),
        spoiled(lambda body: body.update(more=1)),
        spoiled(lambda body: body["limits"].pop("firm")),
        spoiled(lambda body: body["limits"].update(firm="7")),
        spoiled(lambda body: body["limits"].update(firm=7.5)),
        spoiled(lambda body: body["limits"]["instruments"][0].update(tick_value=None)),
        spoiled(lambda body: body["limits"]["regimes"][0].update(regime="sunny")),
        spoiled(lambda body: body["limits"]["rungs"][1].update(rung=2)),
    ],
    ids=range(15),
)  # fmt: skip
def test_a_text_that_is_no_limit_set_is_refused(text):
    with pytest.raises(RecordUnreadable):
        read_limit_set(text)


def test_a_limit_set_that_bounds_nothing_is_refused_on_reading_too():
    with pytest.raises((LimitsInvalid, RecordUnreadable)):
        read_limit_set(spoiled(lambda body: body["limits"].update(firm=-1)))
    assert read_limit_set(canonical_bytes(limit_set())) == limit_set()


EVENTS = [
    happened.Filled(order="o-1", execution="x", quantity=1, price=-3, at_ns=NOON),
    happened.Closed(order="o-1", reason="cancelled", at_ns=NOON),
    happened.Messaged(venue="v", symbol="s", at_ns=NOON),
    happened.Marked(symbol="s", price=-1, at_ns=NOON),
    happened.Located(reference="r", account="a", symbol="s", quantity=3, until_ns=NOON),
    happened.RegimeSeen(regime=Regime.HIGH_VOL, at_ns=NOON),
    happened.MetricsSeen(metrics=metrics(slippage_ppm=None)),
    happened.RungSet(strategy="s", rung=Rung.TWENTY, at_ns=NOON),
    happened.Tripped(latch="l", strategy="s", cause="c\n\u2028", at_ns=NOON),
    happened.ReEnabled(latch="l", nonce="n", by="sol", at_ns=NOON),
    happened.Killed(kill="k", scope="*", by="tom", reason="r", at_ns=NOON),
    happened.KillLifted(kill="k", nonce="n", by="sol", at_ns=NOON),
    happened.Broken(broken="b", venue="v", detail="d", at_ns=NOON),
    happened.BreakCleared(broken="b", nonce="n", by="ada", at_ns=NOON),
    happened.Doubted(venue="v", orders=("o-1",), at_ns=NOON),
    happened.Adopted(account="a", symbol="s", position=-4, price=7, at_ns=NOON),
    happened.Unanswered(venue="v", at_ns=NOON),
    happened.ExceptionUsed(order="o", nonce="n", at_ns=NOON),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: kind_of(type(event)))
def test_a_record_is_read_as_it_was_written(event):
    assert decode(*encode(event)) == event


def test_a_decision_is_read_as_it_was_written():
    held = in_force()
    for order in (trade_order(), trade_order(sha="bad0"), trade_order(side=trade_order().side)):
        decided = Decided(decision=pretrade(order, held, ledger(held), NOON), order=order)
        assert decode(*encode(decided)) == decided


@pytest.mark.parametrize(
    ("kind", "body"),
    [("new-kind", "{}"), ("killed", "{}"), ("killed", "["), ("filled", '{"quantity":"1"}')],
)
def test_a_record_that_this_release_does_not_know_is_never_skipped(kind, body):
    with pytest.raises(RecordUnreadable):
        decode(kind, body)


async def test_an_assessment_is_made_from_stored_evidence_and_says_what_is_missing(database):
    """Control 22."""
    store = ControlEvidences(database)
    year = (NOON, NOON + 365 * 86_400 * SECOND)
    signed = [Signature(by="cas", act=Act.SIGN_ASSESSMENT), Signature(by="cho", act=Act.CERTIFY)]
    for number, kind in enumerate(list(REQUIRED)[1:]):
        await store.add(kind, "all", NOON + number * SECOND, {"n": number}, passed=True)
    first = await store.assess(year, signed, PEOPLE)
    assert [one.partition(":")[0] for one in first.missing] == [next(iter(REQUIRED))]
    seen = await store.add(next(iter(REQUIRED)), "all", NOON + 7, {"records": 3}, passed=True)
    again = await store.add(next(iter(REQUIRED)), "all", NOON + 7, {"records": 3}, passed=True)
    assert seen == again
    assert (await store.assess(year, signed, PEOPLE)).missing == ()
    kept = await store.assessments()
    assert [row["missing"] for row in kept] == [[], list(first.missing)]
    assert kept[0]["signers"] == ["cas", "cho"]
    assert await store.between(NOON + year[1], NOON + year[1] + 1) == []
    assert replace(seen, passed=False) not in await store.between(*year)
