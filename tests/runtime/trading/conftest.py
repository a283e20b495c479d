"""A desk on a paper venue and a real database, with people who can sign."""

import base64
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from swarm.adapters.paper.exchange import PaperExchange
from swarm.adapters.paper.rules import PaperRules
from swarm.adapters.paper.venue import PaperVenue
from swarm.adapters.postgres.store.trading.chain import GateChain
from swarm.regime.controls import events as happened
from swarm.regime.controls.token import Token, statement
from swarm.regime.limits.instrument import SECOND
from swarm.regime.limits.people import Act, Roster
from swarm.regime.nouns import Regime, Rung
from swarm.runtime.trading.kill_file import KillFile
from swarm.runtime.trading.path import OrderPath
from swarm.runtime.trading.signatures import signed_bytes
from swarm.runtime.trading.state import TradingState
from swarm.testing.trading import NOON, PEOPLE, in_force, metrics

KEYS = {person.id: Ed25519PrivateKey.generate() for person in PEOPLE.people}


def public_line(key):
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
        .decode()
    )


ROSTER = Roster(
    people=tuple(replace(one, keys=(public_line(KEYS[one.id]),)) for one in PEOPLE.people)
)


def sign(by, data):
    return base64.b64encode(KEYS[by].sign(signed_bytes(data))).decode()


@dataclass
class Desk:
    """An order path that can die and come back; its venue and its database stay."""

    database: object
    folder: Path
    limits: object = field(default_factory=in_force)
    rules: PaperRules = field(default_factory=PaperRules)
    now: int = NOON
    tokens: int = 0

    def __post_init__(self):
        self.exchange = PaperExchange(["ACME", "CRUDE"], self.rules)
        self.kill_file = KillFile(self.folder / "kills")

    def clock(self):
        return self.now

    def chain(self):
        return GateChain(self.database, "desk", "test")

    def path(self, **given):
        names = sorted(self.limits.venues)
        plain = {
            "limits": self.limits, "roster": ROSTER, "kill_file": self.kill_file,
            "venues": {"paper": PaperVenue("paper", self.exchange, self.clock)},
            "records": self.chain(), "clock": self.clock,
        }  # fmt: skip
        assert "paper" in names
        return OrderPath(TradingState(**{**plain, **given}))

    async def opened(self, **given):
        path = self.path(**given)
        await path.open()
        self.market(path)
        return path

    def market(self, path, regime=Regime.TREND):
        """What a running desk is told all the time: prices, sessions, regime, measures, rungs."""
        for symbol in ("ACME", "CRUDE"):
            path.state.see(happened.Marked(symbol=symbol, price=10_000, at_ns=self.now))
            path.state.see(
                happened.StatusSeen(
                    venue="paper", symbol=symbol, in_session=True, halted=False, at_ns=self.now
                )
            )
        path.state.see(happened.RegimeSeen(regime=regime, at_ns=self.now))
        path.state.see(happened.MetricsSeen(metrics=metrics(at_ns=self.now)))
        for strategy in ("drift", "mean"):
            path.state.see(happened.RungSet(strategy=strategy, rung=Rung.FULL, at_ns=self.now))

    def token(self, act, subject, by="sol", **given):
        """A token and its signature."""
        self.tokens += 1
        plain = Token(
            act=Act(act), subject=subject, by=by, nonce=f"nonce-{self.tokens:012d}",
            issued_ns=self.now, expires_ns=self.now + 600 * SECOND,
        )  # fmt: skip
        made = replace(plain, **given)
        return made, sign(by, statement(made))


@pytest.fixture
def desk(database, tmp_path):
    return Desk(database, tmp_path)
