"""What people sign: tokens that undo, and overrides that set aside. Controls 6, 12 and 24."""

from dataclasses import replace

import pytest

from swarm.regime.controls.decision import Control
from swarm.regime.controls.errors import OverrideRefused, TokenRefused
from swarm.regime.controls.order import order_hash
from swarm.regime.controls.override import OVERRIDABLE, Override, override
from swarm.regime.controls.token import Token, accept, statement
from swarm.regime.limits.instrument import SECOND
from swarm.regime.limits.people import Act
from swarm.testing.trading import NOON, PEOPLE, trade_order

pytestmark = pytest.mark.req("REG-10")

TOKEN = Token(
    act=Act.RE_ENABLE, subject="l-1", by="sol", nonce="0123456789abcdef", issued_ns=NOON,
    expires_ns=NOON + 600 * SECOND,
)  # fmt: skip


def accepted(token=TOKEN, **given):
    plain = {
        "act": Act.RE_ENABLE, "subject": "l-1", "signer": token.by, "roster": PEOPLE,
        "barred": {"eve"}, "used": set(), "now_ns": NOON,
    }  # fmt: skip
    return accept(token, **{**plain, **given})


def test_a_supervisors_token_re_enables():
    assert accepted() is TOKEN


@pytest.mark.parametrize(
    ("token", "given"),
    [
        pytest.param(TOKEN, {"signer": None}, id="nobody-signed"),
        pytest.param(TOKEN, {"signer": "ada"}, id="somebody-else-signed"),
        pytest.param(replace(TOKEN, by="tom"), {}, id="a-trader"),
        pytest.param(replace(TOKEN, by="bot"), {}, id="an-agent"),
        pytest.param(replace(TOKEN, by="watch"), {}, id="the-monitor-only-stops"),
        pytest.param(replace(TOKEN, by="mallory"), {}, id="not-listed"),
        pytest.param(TOKEN, {"barred": {"sol"}}, id="its-author"),
        pytest.param(TOKEN, {"subject": "l-2"}, id="another-latch"),
        pytest.param(TOKEN, {"act": Act.LIFT_KILL}, id="another-act"),
        pytest.param(TOKEN, {"used": {TOKEN.nonce}}, id="used"),
        pytest.param(TOKEN, {"now_ns": NOON - 1}, id="too-early"),
        pytest.param(TOKEN, {"now_ns": NOON + 600 * SECOND}, id="expired"),
        pytest.param(replace(TOKEN, expires_ns=NOON + 3_601 * SECOND), {}, id="too-long"),
        pytest.param(replace(TOKEN, nonce="short"), {}, id="guessable"),
    ],
)
def test_any_other_token_does_not(token, given):
    with pytest.raises(TokenRefused):
        accepted(token, **given)


def test_what_is_signed_tells_tokens_apart():
    others = [
        replace(TOKEN, act=Act.LIFT_KILL), replace(TOKEN, subject="l-2"), replace(TOKEN, by="ada"),
        replace(TOKEN, nonce="f" * 16), replace(TOKEN, issued_ns=1), replace(TOKEN, expires_ns=1),
    ]  # fmt: skip
    assert len({statement(one) for one in (TOKEN, *others)}) == 7


ORDER = trade_order(price=10_090)
GIVEN = Override(
    order_hash=order_hash(ORDER), control=Control.COLLAR, expires_ns=NOON + SECOND,
    verified_by="ada", authorised_by="sol", nonce="n-1",
)  # fmt: skip


def test_an_override_of_two_people_for_one_order_is_taken():
    assert override(GIVEN, ORDER, PEOPLE, NOON) is GIVEN


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"authorised_by": "ada"}, id="one-person-twice"),
        pytest.param({"verified_by": "sol", "authorised_by": "ada"}, id="roles-turned-round"),
        pytest.param({"verified_by": "bot"}, id="an-agent-verifies"),
        pytest.param({"authorised_by": "bot"}, id="an-agent-authorises"),
        pytest.param({"authorised_by": "mallory"}, id="not-listed"),
        pytest.param({"verified_by": "tom"}, id="the-trader"),
        pytest.param({"expires_ns": NOON}, id="expired"),
        pytest.param({"expires_ns": NOON + 901 * SECOND}, id="no-exception-any-more"),
        pytest.param({"order_hash": order_hash(trade_order())}, id="another-order"),
        *(
            pytest.param({"control": one}, id=f"not-{one.name.lower()}")
            for one in Control
            if one not in OVERRIDABLE
        ),
    ],
)
def test_any_other_override_is_refused(change):
    with pytest.raises(OverrideRefused):
        override(replace(GIVEN, **change), ORDER, PEOPLE, NOON)


def test_nobody_can_set_a_kill_a_latch_or_the_caps_aside():
    never = {Control.KILL, Control.THROTTLE, Control.CAPITAL, Control.CONTROL, Control.PERMISSION,
             Control.RUNG, Control.RISK}  # fmt: skip
    assert not never & OVERRIDABLE
