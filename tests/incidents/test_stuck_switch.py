"""A kill switch stayed on: one flag that was missing hid the state of all the others (P68).

Whatever stands against an order is told each by itself with who said it, and each ends by itself.
"""

from itertools import permutations

import pytest

from swarm.regime.controls import events as happened
from swarm.regime.controls.decision import Ruling
from swarm.regime.controls.ledger import Ledger
from swarm.regime.controls.pretrade import pretrade
from swarm.regime.nouns import Regime, Rung
from swarm.testing.trading import NOON, in_force, ledger, metrics, trade_order

pytestmark = pytest.mark.req("REG-10")

#: What the gate must have been told, and what it says while it was not.
FLAGS = {
    "ReferenceMissing": [
        happened.Marked(symbol=symbol, price=10_000, at_ns=NOON) for symbol in ("ACME", "CRUDE")
    ],
    "StatusMissing": [
        happened.StatusSeen(venue="paper", symbol="ACME", in_session=True, halted=False, at_ns=NOON)
    ],
    "RegimeUnknown": [happened.RegimeSeen(regime=Regime.TREND, at_ns=NOON)],
    "RungUnknown": [happened.RungSet(strategy="drift", rung=Rung.FULL, at_ns=NOON)],
    "LimitBreached": [happened.MetricsSeen(metrics=metrics())],
}


def against(book, held):
    decision = pretrade(trade_order(), held, book, NOON)
    return {one.reason for one in decision.refusals} & set(FLAGS), decision.ruling


@pytest.mark.parametrize("first", FLAGS)
def test_a_flag_that_is_missing_hides_no_other_and_ends_with_nothing_but_itself(first):
    for rest in permutations(set(FLAGS) - {first}):
        held, book = in_force(), Ledger()
        book.hold_against(held)
        # Measures are judged by the regime's limits: while there is no regime, that is said.
        missing = set(FLAGS) - {"LimitBreached"}
        assert missing <= against(book, held)[0]
        for flag in (first, *rest):
            for event in FLAGS[flag]:
                book.apply(event)
            missing.discard(flag)
            found, ruling = against(book, held)
            assert found - {"LimitBreached"} == missing, (first, *rest)
        assert ruling is Ruling.ACCEPT


KILLS = [
    happened.Killed(kill=f"k-{scope}", scope=scope, by=by, reason=why, at_ns=NOON)
    for scope, by, why in (
        ("*", "cho", "the feed lies"),
        ("venue:paper", "watch", "no answer for 30 s"),
        ("strategy:drift", "tom", "odd fills"),
    )
]


@pytest.mark.parametrize(
    "order", list(permutations(KILLS)), ids=lambda kills: "-".join(kill.by for kill in kills)
)
def test_each_kill_says_whose_it_is_and_lifting_one_lifts_no_other(order):
    held = in_force()
    book = ledger(held, *KILLS)
    for number, kill in enumerate(order):
        decision = pretrade(trade_order(), held, book, NOON)
        (refusal,) = decision.refusals
        left = order[number:]
        assert any(
            one.kill in refusal.detail and one.by in refusal.detail and one.reason in refusal.detail
            for one in left
        )
        assert set(book.kills) == {one.kill for one in left}
        book.apply(
            happened.KillLifted(kill=kill.kill, nonce=f"once-{number}", by="sol", at_ns=NOON)
        )
    assert pretrade(trade_order(), held, book, NOON).ruling is Ruling.ACCEPT


def test_a_lift_of_what_nobody_killed_lifts_nothing():
    held = in_force()
    book = ledger(held, KILLS[0])
    book.apply(happened.KillLifted(kill="k-other", nonce="once", by="sol", at_ns=NOON))
    assert pretrade(trade_order(), held, book, NOON).ruling is Ruling.REJECT
