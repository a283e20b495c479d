"""The history checker against histories that somebody doctored, each caught by the right rule."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.contract.verdict import Answer
from swarm.core.history.check import check
from swarm.core.history.finding import Rule
from swarm.core.history.journal import Deed, Effect, Entry, Grip, History, Movement
from swarm.core.history.log import Decided, Log, Span, Spans

BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
SWARM, GOOD, BAD, BIG = "s-1", "m-good", "m-bad", "m-big"
REPO, TARGET, WINDOW = "acme/shop", "orders", "s-1@day"
POLICY, STRICTER, OTHER = "policy-1", "policy-2", "policy-9"
ASSISTED = {
    "mode": "assisted", "required_checks": ["lint"], "repo_allowlist": [REPO], "budget": True,
    "auto_execute": None, "attests": [REPO], "r3_allowed": [], "undecided_promotes": False,
    "costs": {"tidy": 100},
}  # fmt: skip
LIGHTS_OUT = {"mode": "lights-out"}
BEFORE_MAIN = ("code_quality", "merge_policy", "supply_chain")


def at(minutes):
    return BEGIN + timedelta(minutes=minutes)


@dataclass
class Tale:
    """A history that can be written on: lists instead of tuples."""

    entries: list = field(default_factory=list)
    effects: list = field(default_factory=list)
    grips: list = field(default_factory=list)
    movements: list = field(default_factory=list)
    caps: dict = field(default_factory=dict)
    until: datetime = BEGIN + timedelta(minutes=2_000)

    def log(self, minutes, event, chain="", /, **body):
        self.entries.append(Entry(at(minutes), SWARM, chain or SWARM, event, body))

    def verdict(self, minutes, mission, gate, subject, answer=Answer.PASS, policy=POLICY):
        self.log(
            minutes, "verdict.given", mission, gate=gate, subject=subject, answer=int(answer),
            policy_hash=policy,
        )  # fmt: skip

    def bound(self, minutes, policy=POLICY, swarm=SWARM, **over):
        """A policy began: assisted, and watched in the repository, if nothing else is said."""
        body = {**ASSISTED, "policy_hash": policy, **over}
        self.entries.append(Entry(at(minutes), swarm, swarm, "policy.bound", body))

    def by(self, mission, **over):
        """The mission was decided under another policy, from beginning to end."""
        self.bound(0, OTHER, **over)
        self.entries = [
            one._replace(body={**one.body, "policy_hash": OTHER})
            if one.chain == mission and "policy_hash" in one.body else one
            for one in self.entries
        ]  # fmt: skip

    def do(self, minutes, mission, deed, key, where="", subject="", **more):
        """Order, claim, effect and settlement, as they come in life."""
        key = f"{mission}/{key}"
        self.log(
            minutes, "order.issued", mission, order=key, kind=str(deed), forward=True,
            policy_hash=POLICY,
        )  # fmt: skip
        fence = int(minutes * 1_000)
        for what in ("claimed", "begun", "settled"):
            self.grips.append(Grip(at(minutes), key, fence, what))
        self.effects.append(
            Effect(
                at=at(minutes + 1), deed=deed, mission=mission, key=key, where=where,
                subject=subject, begun_at=at(minutes), fence=fence, **more,
            )
        )  # fmt: skip

    def history(self):
        return History(
            entries=tuple(sorted(self.entries, key=lambda one: one.at)),
            effects=tuple(sorted(self.effects, key=lambda one: one.at)),
            until=self.until,
            grips=tuple(self.grips),
            movements=None if self.movements is None else tuple(self.movements),
            caps=self.caps,
        )

    def broken(self):
        return {one.rule for one in check(self.history()).violations}

    def effect(self, mission, deed):
        """Where the first effect of this kind stands."""
        return next(
            place for place, one in enumerate(self.effects)
            if (one.mission, one.deed) == (mission, deed)
        )  # fmt: skip

    def drop(self, event, chain="", /, **body):
        """Take out the log's events that say this."""

        def says(one):
            same = one.kind == event and one.chain == (chain or SWARM)
            return same and all(one.body.get(name) == value for name, value in body.items())

        assert any(says(one) for one in self.entries)
        self.entries = [one for one in self.entries if not says(one)]

    def under(self, policy, event, chain, /, **body):
        """The log's events that say this were under another policy."""

        def says(one):
            same = one.kind == event and one.chain == chain
            return same and all(one.body.get(name) == value for name, value in body.items())

        assert any(says(one) for one in self.entries)
        self.entries = [
            one._replace(body={**one.body, "policy_hash": policy}) if says(one) else one
            for one in self.entries
        ]

    def earlier(self, mission, gate, by=timedelta(days=400)):
        """The gate passed so long before, and was not asked again."""
        given = [
            one for one in self.entries
            if one.kind == "verdict.given" and (one.chain, one.body["gate"]) == (mission, gate)
        ]  # fmt: skip
        self.drop("verdict.given", mission, gate=gate)
        self.entries.append(given[-1]._replace(at=given[-1].at - by))


def begin(tale, minutes, mission, risk=1):
    contract = {"targets": [TARGET]}
    tale.movements.append(Movement(at(minutes), WINDOW, mission, "reserve", 400))
    tale.log(
        minutes, "mission.opened", mission, reserve=400, risk=risk, contract=contract, repo=REPO,
        policy_hash=POLICY, agent="tidy", **{"class": "tidy"},
    )  # fmt: skip
    tale.verdict(minutes, mission, "discovery_quality", "citations")
    tale.do(minutes, mission, Deed.RUN, "run/0", REPO, f"{mission}-run-0")
    tale.movements.append(Movement(at(minutes + 9), WINDOW, mission, "spend", 100))
    for gate in BEFORE_MAIN:
        tale.verdict(minutes + 10, mission, gate, f"{mission}-head")


def instead(tale, minutes, gate, answer):
    """This gate said something else of the good change."""
    tale.drop("verdict.given", GOOD, gate=gate)
    tale.verdict(minutes, GOOD, gate, f"{GOOD}-head", answer)


def land(tale, minutes, mission, risk=1):
    head = f"{mission}-head"
    for gate in BEFORE_MAIN:
        tale.verdict(minutes, mission, gate, head)
    tale.do(minutes, mission, Deed.LAND, f"land/{head}", REPO, head, risk=risk)
    tale.do(minutes + 2, mission, Deed.SYNC, f"sync/{head}", TARGET, head)
    tale.do(minutes + 4, mission, Deed.TRAFFIC, "traffic/0", TARGET, head, step=0, percent=10)


def promote(tale, minutes, mission):
    head = f"{mission}-head"
    tale.verdict(minutes, mission, "progressive_rollout", f"{TARGET}@{head}#10")
    tale.do(minutes, mission, Deed.TRAFFIC, "traffic/1", TARGET, head, step=1, percent=100)
    tale.verdict(minutes + 10, mission, "post_deploy_slo", f"{TARGET}@{head}#100")
    tale.do(minutes + 10, mission, Deed.PROMOTE, "promote", TARGET, head)


def end(tale, minutes, mission, outcome="delivered", reason="Delivered", **more):
    more = {"outcome": outcome, "reason": reason, "cost": 100, **more}
    tale.log(minutes, "mission.settled", mission, **more)
    tale.movements.append(Movement(at(minutes), WINDOW, mission, "release", 300))


def clean():
    """Delivered, rolled back with a freeze after it, and an R3 that a person approved."""
    tale = Tale(caps={WINDOW: 2_000})
    for policy in (POLICY, STRICTER):
        tale.bound(0, policy)
    begin(tale, 1, GOOD)
    land(tale, 20, GOOD)
    promote(tale, 40, GOOD)
    end(tale, 60, GOOD)
    begin(tale, 100, BAD)
    land(tale, 120, BAD)
    head = f"{BAD}-head"
    tale.verdict(130, BAD, "progressive_rollout", f"{TARGET}@{head}#10", Answer.FAIL)
    tale.do(131, BAD, Deed.ABORT, "abort/0", TARGET, head)
    tale.do(135, BAD, Deed.REVERT, f"revert/{head}", REPO, head)
    end(tale, 140, BAD, "rolled-back", "CanaryFailed")
    tale.log(141, "freeze.opened", freeze="f-1", cause=BAD, until=None, **{"class": "tidy"})
    tale.log(199, "freeze.requalified", freeze="f-1", **{"class": "tidy"})
    tale.log(200, "freeze.lifted", freeze="f-1", **{"class": "tidy"})
    begin(tale, 220, BIG, risk=3)
    tale.log(235, "approval.used", BIG, approval="a-1", commit=f"{BIG}-head")
    land(tale, 240, BIG, risk=3)
    promote(tale, 260, BIG)
    end(tale, 280, BIG)
    return tale


def move(tale, mission, deed, /, **change):
    place = tale.effect(mission, deed)
    tale.effects[place] = replace(tale.effects[place], **change)


def opened_as(tale, mission, **change):
    tale.entries = [
        one._replace(body={**one.body, **change})
        if (one.kind, one.chain) == ("mission.opened", mission) else one
        for one in tale.entries
    ]  # fmt: skip


def again(tale, mission, deed, **change):
    tale.effects.append(replace(tale.effects[tale.effect(mission, deed)], **change))


def fixes(tale, number):
    for attempt in range(1, number + 1):
        subject = f"{GOOD}-run-{attempt}"
        tale.do(10 + attempt / 10, GOOD, Deed.RUN, f"run/{attempt}", REPO, subject)


def paid(tale, mission, *moves):
    """All that one mission's money did."""
    others = [one for one in tale.movements if one.mission != mission]
    own = [Movement(at(minutes), WINDOW, mission, what, sum_) for minutes, what, sum_ in moves]
    tale.movements = sorted((*others, *own), key=lambda one: one.at)


def ending(tale, mission, **change):
    """Its ending says something else."""
    tale.entries = [
        one._replace(body={**one.body, **change})
        if (one.kind, one.chain) == ("mission.settled", mission) else one
        for one in tale.entries
    ]  # fmt: skip


def without(tale, *deeds):
    tale.effects = [one for one in tale.effects if one.deed not in deeds]


def unanswered(tale, minutes, cause):
    """The canary failed at 130, nothing was taken back, and the freeze of the class is this one."""
    without(tale, Deed.ABORT, Deed.REVERT)
    tale.drop("freeze.opened", freeze="f-1")
    tale.log(minutes, "freeze.opened", freeze="f-1", cause=cause, **{"class": "tidy"})


HEAD = f"{GOOD}-head"
DOCTORED = [
    # Rule 1
    ("agent-started-twice", Rule.ONCE, lambda t: again(t, GOOD, Deed.RUN, at=at(3))),
    ("landed-twice-under-one-key", Rule.ONCE, lambda t: again(t, GOOD, Deed.LAND, at=at(30))),
    ("landed-twice-under-two-keys", Rule.ONCE,
     lambda t: t.do(30, GOOD, Deed.LAND, "land/again", REPO, HEAD)),
    ("landed-twice-under-two-commits", Rule.ONCE, lambda t: [
        t.do(30, GOOD, Deed.LAND, "land/other-head", REPO, "other-head"),
        *(t.verdict(30, GOOD, gate, "other-head") for gate in BEFORE_MAIN),
    ]),
    *((f"{deed}-of-two-commits-at-one-target", Rule.ONCE,
       lambda t, deed=deed: t.do(54, GOOD, deed, f"{deed}/other", TARGET, "other-head"))
      for deed in (Deed.SYNC, Deed.PROMOTE)),
    ("promoted-twice", Rule.ONCE, lambda t: again(t, GOOD, Deed.PROMOTE, at=at(55))),
    ("reverted-twice", Rule.ONCE, lambda t: again(t, BAD, Deed.REVERT, at=at(139))),
    ("told-twice", Rule.ONCE, lambda t: [
        t.do(50, GOOD, Deed.NOTIFY, "notify/x", "channel", "x"),
        again(t, GOOD, Deed.NOTIFY, at=at(52)),
    ]),
    ("opened-twice", Rule.ONCE, lambda t: t.log(2, "mission.opened", GOOD, **{"class": "tidy"})),
    ("ended-twice", Rule.ONCE, lambda t: end(t, 61, GOOD)),
    ("ended-but-never-opened", Rule.ONCE,
     lambda t: t.log(5, "mission.settled", "m-ghost", outcome="delivered", reason="Delivered")),
    # Rule 2
    ("landed-without-checks", Rule.GATES,
     lambda t: t.drop("verdict.given", GOOD, gate="code_quality")),
    ("landed-without-merge-policy", Rule.GATES,
     lambda t: t.drop("verdict.given", GOOD, gate="merge_policy")),
    ("landed-unsigned", Rule.GATES, lambda t: t.drop("verdict.given", GOOD, gate="supply_chain")),
    ("landed-on-a-red-check", Rule.GATES,
     lambda t: instead(t, 20, "code_quality", Answer.FAIL)),
    ("landed-while-signing-was-waited-for", Rule.GATES,
     lambda t: instead(t, 20, "supply_chain", Answer.WAIT)),
    ("verdict-is-about-another-commit", Rule.GATES,
     lambda t: move(t, GOOD, Deed.LAND, subject="other-head")),
    ("passed-only-after-it-was-decided", Rule.GATES, lambda t: [
        t.drop("verdict.given", GOOD, gate="code_quality"),
        t.verdict(21, GOOD, "code_quality", HEAD),
    ]),
    ("landed-by-a-voided-order", Rule.GATES,
     lambda t: t.log(19.9, "order.voided", GOOD, order=f"{GOOD}/land/{HEAD}") or [
        t.log(19.8, "order.issued", GOOD, order=f"{GOOD}/land/{HEAD}", policy_hash=POLICY),
        t.drop("order.issued", GOOD, kind="land"),
        *[t.verdict(19.8, GOOD, gate, HEAD) for gate in BEFORE_MAIN],
    ]),
    ("promoted-after-it-ended", Rule.GATES, lambda t: move(
        t, GOOD, Deed.PROMOTE, at=at(62), begun_at=at(61))),
    ("agent-started-after-it-ended", Rule.GATES,
     lambda t: t.do(70, GOOD, Deed.RUN, "run/1", REPO, f"{GOOD}-run-1")),
    ("begun-without-citations", Rule.GATES,
     lambda t: t.drop("verdict.given", GOOD, gate="discovery_quality")),
    ("begun-on-too-few-citations", Rule.GATES,
     lambda t: t.verdict(1, GOOD, "discovery_quality", "citations", Answer.FAIL)),
    ("landed-although-its-citations-were-withdrawn", Rule.GATES,
     lambda t: t.verdict(19, GOOD, "discovery_quality", "citations", Answer.FAIL)),
    ("citations-were-asked-of-under-another-policy", Rule.GATES,
     lambda t: t.under(STRICTER, "mission.opened", GOOD)),
    ("r3-begun-on-citations-that-were-not-read-again", Rule.GATES,
     lambda t: t.do(225, BIG, Deed.RUN, "run/1", REPO, f"{BIG}-run-1")),
    ("r2-begun-on-citations-that-were-not-read-again", Rule.GATES, lambda t: [
        opened_as(t, GOOD, risk=2), t.log(19, "approval.used", GOOD, commit=HEAD),
        t.do(5, GOOD, Deed.RUN, "run/1", REPO, f"{GOOD}-run-1"),
    ]),
    *((f"landed-on-a-pass-of-{gate}-that-is-400-days-old", Rule.GATES,
       lambda t, gate=gate: t.earlier(GOOD, gate)) for gate in BEFORE_MAIN),
    ("went-on-on-a-pass-that-is-400-days-old", Rule.GATES,
     lambda t: t.earlier(GOOD, "progressive_rollout")),
    ("promoted-on-a-pass-that-is-400-days-old", Rule.GATES,
     lambda t: t.earlier(GOOD, "post_deploy_slo")),
    *((f"{gate}-passed-under-another-policy", Rule.GATES,
       lambda t, gate=gate: t.under(STRICTER, "verdict.given", GOOD, gate=gate))
      for gate in (*BEFORE_MAIN, "progressive_rollout", "post_deploy_slo")),
    *((f"{deed}-decided-under-another-policy", Rule.GATES,
       lambda t, deed=deed: t.under(STRICTER, "order.issued", GOOD, kind=deed))
      for deed in ("land", "promote")),
    *((f"{deed}-of-a-commit-that-passed-no-gate", Rule.GATES,
       lambda t, deed=deed: move(t, GOOD, deed, subject="other-head"))
      for deed in (Deed.SYNC, Deed.TRAFFIC, Deed.PROMOTE)),
    ("exposed-without-a-pass", Rule.GATES,
     lambda t: t.drop("verdict.given", GOOD, gate="progressive_rollout")),
    ("exposed-after-a-fail", Rule.GATES,
     lambda t: t.verdict(259, BIG, "progressive_rollout", f"{TARGET}@{BIG}-head#50", Answer.FAIL)),
    ("promoted-without-a-pass", Rule.GATES,
     lambda t: t.drop("verdict.given", GOOD, gate="post_deploy_slo")),
    ("effect-without-an-order", Rule.GATES,
     lambda t: t.drop("order.issued", GOOD, kind="land")),
    ("effect-of-no-mission", Rule.GATES, lambda t: move(t, GOOD, Deed.SYNC, mission="m-ghost")),
    *((f"{deed}-at-another-place", Rule.GATES,
       lambda t, mission=mission, deed=deed: move(t, mission, deed, where="elsewhere"))
      for mission, deed in (
          (GOOD, Deed.RUN), (GOOD, Deed.LAND), (GOOD, Deed.SYNC), (GOOD, Deed.TRAFFIC),
          (GOOD, Deed.PROMOTE), (BAD, Deed.ABORT), (BAD, Deed.REVERT))),
    ("exposed-without-a-target", Rule.GATES, lambda t: opened_as(t, GOOD, contract=None)),
    ("effect-before-its-order", Rule.GATES,
     lambda t: move(t, GOOD, Deed.SYNC, at=at(5), begun_at=at(5))),
    # Rule 3
    ("started-under-a-class-freeze", Rule.FREEZE,
     lambda t: t.log(0.5, "freeze.opened", freeze="f-9", **{"class": "tidy"})),
    ("landed-under-a-swarm-freeze", Rule.FREEZE, lambda t: [
        t.log(19, "freeze.opened", freeze="f-9", **{"class": "*"}),
        t.log(21, "freeze.lifted", freeze="f-9", **{"class": "*"}),
    ]),
    ("the-lift-came-later-than-told", Rule.FREEZE, lambda t: [
        t.drop("freeze.lifted", freeze="f-1"),
        t.log(230, "freeze.lifted", freeze="f-1", **{"class": "tidy"}),
    ]),
    ("promoted-in-a-freeze-that-never-ended", Rule.FREEZE,
     lambda t: t.drop("freeze.lifted", freeze="f-1")),
    ("lifted-without-a-proof", Rule.FREEZE,
     lambda t: t.drop("freeze.requalified", freeze="f-1")),
    ("lifted-before-its-window-ended", Rule.FREEZE, lambda t: [
        t.drop("freeze.opened", freeze="f-1"),
        t.log(141, "freeze.opened", freeze="f-1", until=at(201).isoformat(), **{"class": "tidy"}),
    ]),
    ("lifted-by-a-proof-from-before-it-was-extended", Rule.FREEZE,
     lambda t: t.log(199.5, "freeze.extended", freeze="f-1", until=None, **{"class": "tidy"})),
    # Rule 4
    ("reserved-above-the-cap", Rule.BUDGET,
     lambda t: t.movements.append(Movement(at(300), WINDOW, "m-x", "reserve", 9_000))),
    ("spent-a-negative-amount", Rule.BUDGET,
     lambda t: t.movements.append(Movement(at(300), WINDOW, GOOD, "spend", -5))),
    ("gave-back-more-than-it-had", Rule.BUDGET,
     lambda t: t.movements.append(Movement(at(300), WINDOW, GOOD, "release", 1))),
    ("worked-after-its-reservation-was-given-back", Rule.BUDGET, lambda t: [
        paid(t, GOOD, (1, "reserve", 400), (10, "spend", 100), (10, "release", 300)),
        fixes(t, 1),
    ]),
    ("worked-without-a-reservation", Rule.BUDGET, lambda t: setattr(
        t, "movements", [m for m in t.movements if (m.mission, m.what) != (BIG, "reserve")]
    )),
    ("opened-without-a-reservation", Rule.BUDGET,
     lambda t: [opened_as(t, BIG, reserve=0), paid(t, BIG, (229, "spend", 100))]),
    ("opened-without-a-reservation-or-a-trace-of-money", Rule.BUDGET, lambda t: [
        *(opened_as(t, one, reserve=0) for one in (GOOD, BAD, BIG)), t.movements.clear(),
        ending(t, GOOD, cost=0), ending(t, BAD, cost=0), ending(t, BIG, cost=0),
    ]),
    ("worked-without-its-reservation-at-a-cost-that-nobody-told", Rule.BUDGET,
     lambda t: [t.drop("policy.bound"), paid(t, BIG)]),
    ("fixed-without-a-reservation-for-it", Rule.BUDGET, lambda t: [
        opened_as(t, GOOD, reserve=100), fixes(t, 1),
        paid(t, GOOD, (1, "reserve", 100), (10, "spend", 100)),
    ]),
    ("cost-what-the-ledger-does-not-know", Rule.BUDGET, lambda t: ending(t, GOOD, cost=101)),
    ("the-ledger-spent-what-nobody-cost", Rule.BUDGET,
     lambda t: t.movements.append(Movement(at(300), WINDOW, GOOD, "spend", 10**9))),
    # Rule 5
    ("settled-under-an-old-fence", Rule.FENCE,
     lambda t: t.grips.append(Grip(at(30), f"{GOOD}/land/{HEAD}", 5, "settled"))),
    ("begun-under-an-old-fence", Rule.FENCE,
     lambda t: t.grips.append(Grip(at(30), f"{GOOD}/land/{HEAD}", 5, "begun"))),
    ("claimed-twice-under-one-fence", Rule.FENCE,
     lambda t: t.grips.append(Grip(at(30), f"{GOOD}/land/{HEAD}", 20_000, "claimed"))),
    ("target-took-an-old-fence", Rule.FENCE,
     lambda t: again(t, GOOD, Deed.TRAFFIC, at=at(300), fence=1)),
    ("target-took-the-fence-of-an-earlier-order", Rule.FENCE,
     lambda t: move(t, GOOD, Deed.PROMOTE, fence=40_000 - 1)),
    # Rule 6
    ("rolled-back-for-nothing", Rule.ROLLBACK, lambda t: [
        t.drop("verdict.given", BAD, answer=int(Answer.FAIL)),
        t.drop("mission.settled", BAD),
        end(t, 140, BAD),
    ]),
    ("failed-and-nothing-followed", Rule.ROLLBACK, lambda t: [
        setattr(t, "effects", [
            e for e in t.effects if e.deed not in {Deed.ABORT, Deed.REVERT}
        ]),
        t.drop("freeze.opened", freeze="f-1"),
        t.drop("freeze.lifted", freeze="f-1"),
    ]),
    ("a-freeze-was-open-already", Rule.ROLLBACK, lambda t: unanswered(t, 110, None)),
    ("another-mission-was-frozen-for", Rule.ROLLBACK, lambda t: unanswered(t, 141, GOOD)),
    ("a-person-froze-for-something-else", Rule.ROLLBACK, lambda t: unanswered(t, 141, "")),
    ("a-freeze-was-lifted-in-its-name", Rule.ROLLBACK, lambda t: [
        unanswered(t, 110, None), t.drop("freeze.lifted", freeze="f-1"),
        t.log(141, "freeze.lifted", freeze="f-1", cause=BAD, **{"class": "tidy"}),
    ]),
    ("frozen-long-after-it-failed", Rule.ROLLBACK, lambda t: unanswered(t, 251, BAD)),
    ("frozen-before-it-failed", Rule.ROLLBACK, lambda t: unanswered(t, 129, BAD)),
    ("main-went-back-and-the-target-did-not", Rule.ROLLBACK, lambda t: [
        without(t, Deed.ABORT), t.drop("freeze.opened", freeze="f-1"),
    ]),
    ("another-target-was-taken-back", Rule.ROLLBACK, lambda t: [
        opened_as(t, BAD, contract={"targets": [TARGET, "other"]}),
        move(t, BAD, Deed.ABORT, where="other"), t.drop("freeze.opened", freeze="f-1"),
    ]),
    ("ended-with-another-commit", Rule.ROLLBACK, lambda t: ending(t, GOOD, landed="other-head")),
    ("failed-and-passed-when-asked-again", Rule.ROLLBACK, lambda t: [
        setattr(t, "effects", [
            e for e in t.effects if e.deed not in {Deed.ABORT, Deed.REVERT}
        ]),
        t.drop("freeze.opened", freeze="f-1"),
        t.drop("freeze.lifted", freeze="f-1"),
        t.verdict(131, BAD, "progressive_rollout", f"{TARGET}@{BAD}-head#10"),
    ]),
    ("rolled-back-and-main-keeps-it", Rule.ROLLBACK, lambda t: [
        t.drop("order.issued", BAD, kind="revert"),
        setattr(t, "effects", [e for e in t.effects if e.deed is not Deed.REVERT]),
    ]),
    # Rule 7
    ("four-fixes", Rule.RETRIES, lambda t: fixes(t, 4)),
    # Rules 8 and 9
    ("r3-by-itself-where-it-is-not-allowed", Rule.RISK, lambda t: [
        t.drop("approval.used", BIG), t.by(BIG, **LIGHTS_OUT),
    ]),
    ("r3-hidden-in-a-change", Rule.RISK, lambda t: move(t, GOOD, Deed.LAND, risk=3)),
    ("r2-in-assisted-mode-without-approval", Rule.MODE,
     lambda t: move(t, GOOD, Deed.LAND, risk=2)),
    ("approved-only-afterwards", Rule.MODE, lambda t: [
        t.drop("approval.used", BIG),
        t.log(250, "approval.used", BIG, approval="a-1", commit=f"{BIG}-head"),
    ]),
    ("approval-of-another-commit", Rule.MODE, lambda t: [
        t.drop("approval.used", BIG),
        t.log(235, "approval.used", BIG, approval="a-1", commit="other"),
    ]),
    ("started-in-shadow", Rule.MODE, lambda t: t.log(0.5, "shadow.set", shadow=True)),
    ("promoted-in-shadow", Rule.MODE, lambda t: t.log(49, "shadow.set", shadow=True)),
]  # fmt: skip


@pytest.mark.req("VAL-6", "OWN-3")
def test_a_clean_history_is_clean_and_every_rule_looked_at_something():
    judged = check(clean().history())
    assert judged.violations == ()
    assert judged.unexamined == ()


def test_thirty_ways_of_doctoring_are_told():
    assert len(DOCTORED) >= 30
    assert {rule for _, rule, _ in DOCTORED} == set(Rule)


@pytest.mark.req("VAL-6")
@pytest.mark.parametrize(
    ("rule", "doctor"), [pytest.param(rule, doctor, id=name) for name, rule, doctor in DOCTORED]
)
def test_a_doctored_history_is_caught_by_its_rule(rule, doctor):
    tale = clean()
    doctor(tale)
    assert rule in tale.broken()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        pytest.param("three fixes", lambda t: fixes(t, 3), id="three-fixes"),
        pytest.param(
            "asked before the freeze, done after it began",
            lambda t: [
                t.log(20.5, "freeze.opened", freeze="f-9", **{"class": "tidy"}),
                t.log(21.5, "freeze.lifted", freeze="f-9", **{"class": "tidy"}),
            ],
            id="in-flight-when-the-freeze-came",
        ),
        pytest.param(
            "another class is frozen",
            lambda t: t.log(0.5, "freeze.opened", freeze="f-9", **{"class": "docs"}),
            id="freeze-of-another-class",
        ),
        pytest.param(
            "a person rolled it back",
            lambda t: [
                t.log(58, "evidence.seen", GOOD, said="rollback"),
                t.do(59, GOOD, Deed.ABORT, "abort/0", TARGET, HEAD),
            ],
            id="a-persons-rollback",
        ),
        pytest.param(
            "a failed gate's time is not over",
            lambda t: [
                t.verdict(1_990, BIG, "post_deploy_slo", f"{TARGET}@{BIG}-head#100", Answer.FAIL),
            ],
            id="the-answer-may-still-come",
        ),
        pytest.param(
            "R3 where it is allowed",
            lambda t: [
                t.drop("approval.used", BIG),
                t.by(BIG, **LIGHTS_OUT, r3_allowed=[REPO, TARGET]),
            ],
            id="r3-allowed",
        ),
        pytest.param(
            "done, its answer lost, voided by another policy and decided anew",
            lambda t: [
                t.log(23, "order.voided", GOOD, order=f"{GOOD}/traffic/0", reason="another policy"),
                t.log(30, "order.issued", GOOD, order=f"{GOOD}/traffic/0", kind="traffic"),
            ],
            id="decided-again",
        ),
        pytest.param(
            "another policy came, and every gate was asked again under it",
            lambda t: [
                *(t.verdict(20, GOOD, gate, HEAD, policy=STRICTER) for gate in BEFORE_MAIN),
                t.under(STRICTER, "order.issued", GOOD, kind="land"),
            ],
            id="asked-again-under-another-policy",
        ),
        pytest.param(
            "another policy came after the landing",
            lambda t: (
                [
                    t.under(STRICTER, "order.issued", GOOD, kind=kind)
                    for kind in ("sync", "traffic", "promote")
                ]
                + [
                    t.under(STRICTER, "verdict.given", GOOD, gate=gate)
                    for gate in ("progressive_rollout", "post_deploy_slo")
                ]
            ),
            id="another-policy-after-the-landing",
        ),
        pytest.param(
            "another policy came while it was landing, which could not be called back",
            lambda t: t.verdict(20.5, GOOD, "merge_policy", HEAD, Answer.WAIT, policy=STRICTER),
            id="another-policy-while-it-was-landing",
        ),
        pytest.param(
            "another policy came in the very instant of the opening, and asked again",
            lambda t: t.verdict(1, GOOD, "discovery_quality", "citations", policy=STRICTER),
            id="two-policies-in-one-instant",
        ),
        pytest.param(
            "in the instant of the step another look was judged, and settled nothing",
            lambda t: t.verdict(
                40, GOOD, "progressive_rollout", f"{TARGET}@{HEAD}#10", Answer.INCONCLUSIVE
            ),
            id="two-answers-in-one-instant",
        ),
        pytest.param(
            "a way back is never too late",
            lambda t: move(t, BAD, Deed.ABORT, fence=1),
            id="an-abort-under-an-old-fence",
        ),
        pytest.param(
            "no need stands behind a repair",
            lambda t: [
                t.drop("verdict.given", GOOD, gate="discovery_quality"),
                opened_as(t, GOOD, kind="remediate"),
            ],
            id="a-repair-cites-nothing",
        ),
        pytest.param(
            "a repository is written to by orders that were claimed in another order",
            lambda t: move(t, GOOD, Deed.LAND, fence=1),
            id="a-repository-takes-any-order",
        ),
        pytest.param(
            "an order was voided after its request was begun",
            lambda t: t.log(20.5, "order.voided", GOOD, order=f"{GOOD}/land/{HEAD}"),
            id="voided-too-late-to-hold-it",
        ),
        pytest.param(
            "an order was voided at the very instant at which its request was begun",
            lambda t: t.log(20, "order.voided", GOOD, order=f"{GOOD}/land/{HEAD}"),
            id="voided-as-it-was-begun",
        ),
        pytest.param(
            "an order was voided, and decided and begun anew at the same instant",
            lambda t: [
                t.log(19, "order.issued", GOOD, order=f"{GOOD}/land/{HEAD}", policy_hash=POLICY),
                t.log(19.5, "order.voided", GOOD, order=f"{GOOD}/land/{HEAD}"),
            ],
            id="voided-and-decided-anew",
        ),
        pytest.param(
            "what was allowed before its mission ended arrived after it",
            lambda t: move(t, GOOD, Deed.PROMOTE, at=at(62)),
            id="arrived-after-its-mission-ended",
        ),
        pytest.param(
            "what was allowed at the very instant at which its mission ended arrived after it",
            lambda t: move(t, GOOD, Deed.PROMOTE, at=at(62), begun_at=at(60)),
            id="allowed-as-its-mission-ended",
        ),
        pytest.param(
            "nobody knows when it was allowed, so that may have been before its mission ended",
            lambda t: move(t, GOOD, Deed.PROMOTE, at=at(62), begun_at=None),
            id="nobody-knows-when-it-was-allowed",
        ),
        pytest.param(
            "a run that was allowed under its reservation began after it was given back",
            lambda t: [
                paid(t, GOOD, (1, "reserve", 400), (2, "release", 400)),
                ending(t, GOOD, cost=0),
                move(t, GOOD, Deed.RUN, begun_at=at(1), at=at(230)),
                t.effects.sort(key=lambda one: one.at),
            ],
            id="late-under-its-reservation",
        ),
        pytest.param(
            "what a reservation held was spent whole, and a fix followed",
            lambda t: [
                paid(t, GOOD, (1, "reserve", 400), (10, "spend", 400)),
                ending(t, GOOD, cost=400),
                fixes(t, 1),
            ],
            id="spent-whole-is-not-given-back",
        ),
        pytest.param(
            "nobody told what an agent costs, and none of its money was reserved or spent",
            lambda t: [
                t.drop("policy.bound"),
                opened_as(t, GOOD, reserve=0),
                paid(t, GOOD),
                ending(t, GOOD, cost=0),
            ],
            id="an-agent-at-a-cost-that-nobody-told",
        ),
        pytest.param(
            "a person promoted what had no verdict",
            lambda t: [
                t.drop("verdict.given", GOOD, gate="post_deploy_slo"),
                t.log(49, "evidence.seen", GOOD, said="promote"),
            ],
            id="a-persons-promote",
        ),
    ],
)
def test_what_is_allowed_raises_no_alarm(name, change):
    tale = clean()
    change(tale)
    assert not tale.broken(), name


def test_a_rule_that_saw_nothing_proves_nothing():
    empty = check(History(entries=(), effects=(), until=BEGIN))
    assert empty.violations == ()
    assert set(empty.unexamined) == set(Rule)


def test_the_cost_grows_with_the_log_and_not_faster():
    """Ten times the entries, about ten times the work; counted in looks, not in seconds."""
    import sys

    def steps(times):
        tale = Tale(caps={WINDOW: 10**9})
        for number in range(times):
            mission = f"m-{number}"
            tale.bound(number, f"policy-{number}")
            begin(tale, 1, mission)
            land(tale, 20, mission)
            promote(tale, 40, mission)
            end(tale, 60, mission)
            for word in ("opened", "lifted"):
                tale.log(100 + number, f"freeze.{word}", freeze=f"f-{number}", **{"class": "tidy"})
            for shadow in (True, False):
                tale.log(100 + number, "shadow.set", shadow=shadow)
        history, count = tale.history(), 0

        def trace(frame, event, arg):
            nonlocal count
            count += 1

        sys.setprofile(trace)
        try:
            check(history)
        finally:
            sys.setprofile(None)
        return count

    assert steps(200) < 12 * steps(20)


TIMES = st.integers(0, 20).map(at)
SPANS = st.lists(st.tuples(TIMES, st.none() | TIMES), max_size=8)


@given(SPANS, TIMES)
def test_a_question_to_many_spans_is_answered_as_each_of_them_would(drawn, one):
    spans = [Span("*", start, end) for start, end in drawn if end is None or start <= end]
    found = Spans(spans).at(one)
    assert (found is not None) == any(span.holds(one) for span in spans)
    assert found is None or found.holds(one)


@pytest.mark.req("MODE-6", "LOOP-9")
@pytest.mark.parametrize(
    ("landed", "taken_back", "broken"),
    [
        pytest.param(None, False, {Rule.ROLLBACK}, id="nobody-knew-and-it-stayed"),
        pytest.param(None, True, set(), id="it-was-taken-back"),
        pytest.param("m-late-head", False, set(), id="the-mission-knew-it"),
    ],
)
def test_a_change_that_arrives_on_main_after_its_mission_ended_is_found(landed, taken_back, broken):
    """Its order was taken back and a person rejected the mission; the old request landed then."""
    tale = clean()
    begin(tale, 300, "m-late")
    for gate in BEFORE_MAIN:
        tale.verdict(320, "m-late", gate, "m-late-head")
    tale.do(320, "m-late", Deed.LAND, "land/m-late-head", REPO, "m-late-head", risk=1)
    move(tale, "m-late", Deed.LAND, at=at(345))
    end(tale, 340, "m-late", "rejected", "Rejected", landed=landed)
    if taken_back:
        tale.do(350, "m-late", Deed.REVERT, "revert", REPO, "m-late-head")
    assert tale.broken() == broken


# --- what each rule looks at ----------------------------------------------------------------------


@pytest.mark.req("VAL-6")
def test_each_rule_says_how_much_it_looked_at():
    """Counted by hand: three missions, eighteen effects, each with three grips, nine movements."""
    judged = check(clean().history())
    assert dict(judged.counts()) == {
        Rule.ONCE: 18 + 3,
        Rule.GATES: 18,
        Rule.FREEZE: 16 + 1,  # all but the abort and the revert, and a lift
        Rule.BUDGET: 9 + 3 + 3,  # each movement, each run, and each ending
        Rule.FENCE: 3 * 18 + 18,
        Rule.ROLLBACK: 2 + 1 + 3,  # what went back, what failed, what landed
        Rule.RETRIES: 3,
        Rule.RISK: 1,
        Rule.MODE: 16,
    }
    assert dict(check(History(entries=(), effects=(), until=BEGIN)).counts()) == dict.fromkeys(
        Rule, 0
    )


@pytest.mark.parametrize(
    ("doctor", "key"),
    [
        (lambda t: again(t, GOOD, Deed.RUN, at=at(3)), f"{GOOD}/run/0"),
        (lambda t: end(t, 61, GOOD), GOOD),
    ],
)
def test_a_violation_names_the_order_or_else_the_mission(doctor, key):
    tale = clean()
    doctor(tale)
    found = [one for one in check(tale.history()).violations if one.rule is Rule.ONCE]
    assert [(one.mission, one.key) for one in found] == [(GOOD, key)]


def ended(tale, minutes, mission, reason):
    tale.log(minutes, "mission.settled", mission, outcome="failed", reason=reason)


BY_ITSELF = {"undecided_promotes": True}
ALLOWED_AND_NOT = [
    # Rule 5: an effect that is doubled under one fence is doubled, and nothing else.
    ("one-fence-twice", {Rule.ONCE}, lambda t: again(t, GOOD, Deed.RUN, at=at(3))),
    ("a-target-without-fences", set(), lambda t: move(t, GOOD, Deed.RUN, fence=None)),
    # Rule 4
    ("reserved-after-it-was-asked", {Rule.BUDGET},
     lambda t: t.movements.insert(0, t.movements.pop(0)._replace(at=at(1.5)))),
    ("nothing-was-promised", set(), lambda t: [
        begin(t, 300, "m-free"), opened_as(t, "m-free", reserve=0, agent="gratis"),
        setattr(t, "movements", [m for m in t.movements if m.mission != "m-free"]),
    ]),
    ("agent-work-of-no-mission", {Rule.GATES},
     lambda t: move(t, GOOD, Deed.RUN, mission="m-ghost")),
    ("no-ledger-at-all", set(), lambda t: setattr(t, "movements", None)),
    ("reserved-by-a-release-that-told-of-no-costs", set(), lambda t: [
        t.by(GOOD, costs={}), ending(t, GOOD, cost=5),
        paid(t, GOOD, (1, "reserve", 1)), fixes(t, 1),
    ]),
    ("it-cost-more-than-it-was-expected-to", set(), lambda t: [
        paid(t, GOOD, (1, "reserve", 400), (10, "spend", 1_900), (60, "release", 0)),
        paid(t, BAD), paid(t, BIG), without(t, Deed.NOTIFY), ending(t, GOOD, cost=1_900),
        *(opened_as(t, one, reserve=0, agent="gratis") for one in (BAD, BIG)),
    ]),
    ("an-ending-that-tells-of-no-cost", set(), lambda t: [
        t.drop("mission.settled", GOOD),
        t.log(60, "mission.settled", GOOD, outcome="delivered", reason="Delivered"),
    ]),
    ("nobody-says-yet-what-an-open-mission-cost", set(), lambda t: [
        t.drop("mission.settled", GOOD), paid(t, GOOD, (1, "reserve", 400), (10, "spend", 7)),
    ]),
    ("an-open-freeze-grew-because-of-it", set(), lambda t: [
        without(t, Deed.ABORT, Deed.REVERT), t.drop("freeze.opened", freeze="f-1"),
        t.log(129, "freeze.opened", freeze="f-1", cause="", **{"class": "*"}),
        t.log(141, "freeze.extended", freeze="f-1", cause=BAD, **{"class": "*"}),
    ]),
    ("a-window-without-a-cap", set(), lambda t: t.caps.clear()),
    ("a-movement-of-nothing", set(),
     lambda t: t.movements.append(Movement(at(300), WINDOW, GOOD, "spend", 0))),
    # Rules 2, 3, 8 and 9
    ("protection-under-a-freeze", set(), lambda t: [
        t.log(130, "freeze.opened", freeze="f-9", **{"class": "*"}),
        t.log(136, "freeze.lifted", freeze="f-9", **{"class": "*"}),
    ]),
    ("protection-in-shadow", set(), lambda t: [
        t.log(130, "shadow.set", shadow=True), t.log(136, "shadow.set", shadow=False),
    ]),
    ("the-operator-lets-an-undecided-canary-go-on", set(), lambda t: [
        t.drop("verdict.given", GOOD, gate="progressive_rollout"),
        t.by(GOOD, **BY_ITSELF),
    ]),
    ("nobody-noted-the-terms-of-an-undecided-canary", {Rule.GATES}, lambda t: [
        t.drop("verdict.given", GOOD, gate="progressive_rollout"), t.drop("policy.bound"),
        t.bound(0, OTHER),
    ]),
    ("opened-in-the-instant-of-the-first-policy", {Rule.GATES}, lambda t: [
        t.drop("verdict.given", GOOD, gate="discovery_quality"), t.drop("policy.bound"),
        t.bound(1),
    ]),
    ("opened-by-a-release-that-wrote-no-policies-down", set(), lambda t: [
        t.drop("verdict.given", GOOD, gate="discovery_quality"), t.drop("policy.bound"),
        t.bound(2),
    ]),
    ("another-swarms-terms", {Rule.GATES}, lambda t: [
        t.drop("verdict.given", GOOD, gate="progressive_rollout"),
        t.bound(0, swarm="s-2", **BY_ITSELF),
    ]),
    ("an-undecided-canary-of-r2-does-not-go-on-by-itself", {Rule.GATES}, lambda t: [
        t.drop("verdict.given", GOOD, gate="progressive_rollout"), t.by(GOOD, **BY_ITSELF),
        opened_as(t, GOOD, risk=2), t.log(19, "approval.used", GOOD, commit=HEAD),
    ]),
    ("a-word-that-came-after-it-was-decided", {Rule.GATES}, lambda t: [
        t.drop("verdict.given", GOOD, gate="post_deploy_slo"),
        t.log(50.5, "evidence.seen", GOOD, said="promote"),
    ]),
    ("another-word", {Rule.GATES}, lambda t: [
        t.drop("verdict.given", GOOD, gate="post_deploy_slo"),
        t.log(49, "evidence.seen", GOOD, said="retry"),
    ]),
    ("nobody-noted-the-terms", set(), lambda t: [
        t.drop("approval.used", BIG), t.drop("policy.bound"),
    ]),
    ("approved-in-the-instant-it-was-decided", set(), lambda t: [
        t.drop("approval.used", BIG), t.log(240, "approval.used", BIG, commit=f"{BIG}-head"),
    ]),
    ("approved-between-decision-and-landing", {Rule.MODE, Rule.RISK}, lambda t: [
        t.drop("approval.used", BIG), t.log(240.5, "approval.used", BIG, commit=f"{BIG}-head"),
    ]),
    ("landed-without-an-order-but-approved", {Rule.GATES},
     lambda t: t.drop("order.issued", BIG, kind="land")),
    ("landed-without-an-order-and-approved-just-before", {Rule.GATES}, lambda t: [
        t.drop("order.issued", BIG, kind="land"), t.drop("approval.used", BIG),
        t.log(240.5, "approval.used", BIG, commit=f"{BIG}-head"),
    ]),
    ("a-landing-of-no-mission", {Rule.GATES, Rule.ROLLBACK},
     lambda t: [move(t, BAD, Deed.LAND, mission="m-ghost"), move(t, BAD, Deed.ABORT, mission="m-x"),
                t.drop("freeze.opened", freeze="f-1"), move(t, BAD, Deed.REVERT, mission="m-x")]),
    ("nobody-told-what-it-touched", set(), lambda t: [
        begin(t, 300, "m-low", risk=0), land(t, 320, "m-low", risk=None),
        t.by("m-low", auto_execute=[0, 2, 3]),
    ]),
    ("r3-allowed-in-the-repository-and-not-at-the-target", {Rule.RISK}, lambda t: [
        t.drop("approval.used", BIG), t.by(BIG, **LIGHTS_OUT, r3_allowed=[REPO]),
    ]),
    ("r3-without-targets-needs-a-person", {Rule.MODE}, lambda t: [
        t.drop("approval.used", BIG), t.by(BIG, **LIGHTS_OUT, r3_allowed=[REPO]),
        opened_as(t, BIG, contract=None), setattr(
            t, "effects", [e for e in t.effects if e.mission != BIG or e.where != TARGET]
        ),
    ]),
    ("nobody-told-the-repository", set(), lambda t: [
        opened_as(t, GOOD, repo=REPO), move(t, GOOD, Deed.RUN, where=""),
    ]),
    ("lifted-at-the-end-of-its-window", set(), lambda t: [
        t.drop("freeze.opened", freeze="f-1"),
        t.log(141, "freeze.opened", freeze="f-1", until=at(200).isoformat(), **{"class": "tidy"}),
    ]),
    ("extended-for-a-time-that-nobody-told", set(), lambda t: [
        t.drop("freeze.requalified", freeze="f-1"),
        t.log(199, "freeze.extended", freeze="f-1", **{"class": "tidy"}),
    ]),
    # Rule 6
    ("asked-again-after-the-rollback", set(), lambda t: [
        t.drop("freeze.opened", freeze="f-1"),
        t.verdict(139, BAD, "progressive_rollout", f"{TARGET}@{BAD}-head#10", Answer.FAIL),
    ]),
    ("a-rollback-is-an-answer", set(), lambda t: t.drop("freeze.opened", freeze="f-1")),
    ("a-freeze-is-an-answer", set(), lambda t: setattr(
        t, "effects", [e for e in t.effects if e.deed not in {Deed.ABORT, Deed.REVERT}]
    )),
    ("main-was-asked-and-a-person-has-to", set(), lambda t: setattr(
        t, "effects", [e for e in t.effects if e.deed is not Deed.REVERT]
    )),
    ("main-undid-what-nobody-is-known-to-have-asked", {Rule.GATES}, lambda t: t.drop(
        "order.issued", BAD, kind="revert"
    )),
    ("a-red-check-needs-no-rollback", set(),
     lambda t: t.verdict(300, GOOD, "code_quality", "other", Answer.FAIL)),
    ("the-reason-is-still-on-its-way", set(), lambda t: [
        t.drop("mission.settled", GOOD), t.do(59, GOOD, Deed.ABORT, "abort/0", TARGET, HEAD),
    ]),
    ("founded-by-a-verdict-alone", set(), lambda t: [
        t.drop("mission.settled", BAD), ended(t, 140, BAD, "Other"),
    ]),
    ("founded-by-one-of-two-endings", {Rule.ONCE}, lambda t: [
        t.drop("verdict.given", BAD, answer=int(Answer.FAIL)), ended(t, 145, BAD, "Other"),
    ]),
]  # fmt: skip


@pytest.mark.req("VAL-6")
@pytest.mark.parametrize(
    ("broken", "change"),
    [pytest.param(rules, does, id=name) for name, rules, does in ALLOWED_AND_NOT],
)
def test_each_rule_is_broken_by_what_breaks_it_and_by_nothing_else(broken, change):
    tale = clean()
    change(tale)
    assert tale.broken() == broken


# --- money ----------------------------------------------------------------------------------------


@pytest.mark.req("VAL-6", "FAIL-5")
@pytest.mark.parametrize(
    ("moves", "broken"),
    [
        pytest.param([("reserve", 500)], [], id="exactly-the-cap"),
        pytest.param([("reserve", 501)], [1], id="one-more"),
        pytest.param([("reserve", 400), ("spend", 400), ("reserve", 200)], [3], id="spent-counts"),
        pytest.param([("reserve", 400), ("spend", 100), ("reserve", 100)], [], id="once-each"),
        pytest.param([("reserve", 400), ("release", 400), ("reserve", 500)], [], id="given-back"),
        pytest.param(
            [("reserve", 400), ("release", 900), ("reserve", 501)], [2, 3], id="not-below-nought"
        ),
        pytest.param(
            [("release", 500), ("reserve", 100), ("release", 100)], [1], id="nor-for-the-mission"
        ),
        pytest.param([("reserve", 100), ("spend", -1), ("spend", 0)], [2], id="never-backwards"),
    ],
)
def test_reserved_and_spent_never_exceed_the_cap(moves, broken):
    """By hand: 500 micro-units in all; the numbers say which movements are wrong."""
    made = [
        Movement(at(n), WINDOW, GOOD, what, amount) for n, (what, amount) in enumerate(moves, 1)
    ]
    history = History(
        entries=(), effects=(), until=BEGIN, movements=tuple(made), caps={WINDOW: 500}
    )
    assert [one.at for one in check(history).violations] == [at(n) for n in broken]


# --- rollbacks, and when they are in time ---------------------------------------------------------


def fallen(*, failed_at, back_at, until=2_000, answer=Answer.FAIL, gate="progressive_rollout"):
    """A mission that ended as if all were well, one gate's last word and one abort."""
    tale = Tale(until=at(until))
    begin(tale, 1, BAD)
    tale.movements = None
    tale.verdict(failed_at, BAD, gate, f"{TARGET}@{BAD}-head#10", answer)
    tale.verdict(3, BAD, gate, f"{TARGET}@{BAD}-head#10", Answer.WAIT)
    tale.verdict(2, BAD, "progressive_rollout", f"{TARGET}@{BAD}-head#5", Answer.PASS)
    if back_at is not None:
        tale.do(back_at - 1, BAD, Deed.ABORT, "abort/0", TARGET, f"{BAD}-head")
    tale.log(500, "mission.settled", BAD, outcome="delivered", reason="Delivered")
    found = check(tale.history()).violations
    assert {one.rule for one in found} <= {Rule.ROLLBACK}
    return len(found)


@pytest.mark.req("VAL-6", "LOOP-9")
@pytest.mark.parametrize(
    ("given", "violations"),
    [
        pytest.param({"failed_at": 130, "back_at": 131}, 0, id="answered"),
        pytest.param({"failed_at": 130, "back_at": 130}, 0, id="at-that-very-instant"),
        pytest.param({"failed_at": 130, "back_at": 250}, 0, id="at-the-last-instant"),
        pytest.param({"failed_at": 130, "back_at": 250.5}, 1, id="too-late"),
        pytest.param({"failed_at": 130, "back_at": 129}, 2, id="before-it-failed"),
        pytest.param({"failed_at": 130, "back_at": None}, 1, id="never"),
        pytest.param(
            {"failed_at": 130, "back_at": None, "until": 249}, 0, id="its-time-is-not-over"
        ),
        pytest.param(
            {"failed_at": 130, "back_at": None, "until": 250}, 1,
            id="its-time-is-over",
        ),
        pytest.param(
            {"failed_at": 130, "back_at": 131, "answer": Answer.PASS}, 1,
            id="nothing-had-failed",
        ),
        pytest.param(
            {"failed_at": 130, "back_at": 131, "answer": Answer.WAIT}, 1,
            id="it-was-waited-for",
        ),
        pytest.param(
            {"failed_at": 130, "back_at": 131, "gate": "merge_policy"}, 1,
            id="a-gate-before-main",
        ),
    ],
)  # fmt: skip
def test_a_failure_is_answered_in_time_and_nothing_goes_back_without_one(given, violations):
    """Within two hours, both ends counted; the verdict that stands last is the one that counts."""
    assert fallen(**given) == violations


@pytest.mark.req("VAL-6")
def test_what_an_open_mission_takes_back_is_looked_at_once_its_reason_is_there():
    tale = clean()
    tale.drop("mission.settled", BAD)
    before = check(tale.history())
    assert before.violations == ()
    assert before.examined[Rule.ROLLBACK] == 2 + 1 + 2  # its landing is watched by itself still
    tale.drop("verdict.given", BAD, answer=int(Answer.FAIL))
    assert check(tale.history()).examined[Rule.ROLLBACK] == 2


# --- the log --------------------------------------------------------------------------------------


def log(*entries):
    made = [Entry(at(minutes), SWARM, chain, kind, body) for minutes, kind, chain, body in entries]
    return Log(made)


def opened(*entries):
    whole = log((0, "mission.opened", GOOD, {}), *((n, kind, GOOD, b) for n, kind, b in entries))
    return whole.missions[GOOD]


def test_an_order_that_was_voided_and_came_again_was_decided_twice():
    mission = opened(*((n, "order.issued", {"order": "k"}) for n in (10, 20)))
    found = [mission.decided("k", at(n)) for n in (9, 10, 19, 20, 99)]
    assert [one and one.at for one in found] == [None, at(10), at(10), at(20), at(20)]
    assert mission.decided("other", at(99)) is None
    assert mission.risk == 0


def test_a_gate_passed_what_begins_so_and_no_other_target_or_gate_speaks_for_it():
    def given(*rows, decided=5, policy=""):
        return opened(
            *(
                (5, "verdict.given", {"gate": gate, "subject": subject, "answer": int(answer)})
                for gate, subject, answer in rows
            )
        ).passed("canary", "shop@c0#", Decided(at(decided), policy))

    good = ("canary", "shop@c0#10", Answer.PASS)
    assert given(good)
    assert given(good, ("canary", "other@c0#10", Answer.FAIL), ("slo", "shop@c0#10", Answer.FAIL))
    assert not given(good, ("canary", "shop@c0#30", Answer.FAIL))
    assert not given(("canary", "other@c0#10", Answer.PASS))
    assert not given(("slo", "shop@c0#10", Answer.PASS))
    assert not given(good, decided=6)
    assert not given(good, policy=STRICTER)


@pytest.mark.req("FRZ-4")
@pytest.mark.parametrize(
    ("lifted", "why"),
    [(15, f"before its window ended at {at(20)}"), (25, "without a proof")],
)
def test_a_lift_that_came_too_early_or_unproven_is_told_as_such(lifted, why):
    tale = Tale()
    window = {"class": "tidy", "until": at(20).isoformat()}
    tale.log(10, "freeze.opened", freeze="f-1", **window)
    tale.log(lifted, "freeze.lifted", freeze="f-1", **window)
    (broken,) = check(tale.history()).violations
    assert broken.detail == f"freeze f-1 was lifted {why}"


def test_a_word_is_heard_from_its_instant_on():
    mission = opened((5, "evidence.seen", {"said": "promote"}))
    assert [mission.heard({"promote"}, at(n)) for n in (4, 5, 6)] == [False, True, True]
    assert not mission.heard({"retry"}, at(6))


def frozen():
    return log(
        (10, "freeze.opened", "", {"freeze": "f-1", "class": "tidy"}),
        (15, "freeze.opened", "", {"freeze": "f-2", "class": "docs"}),
        (20, "freeze.lifted", "", {"freeze": "f-1"}),
        (30, "freeze.lifted", "", {"freeze": "f-1"}),
        (50, "freeze.opened", "", {"freeze": "f-3", "class": "*"}),
    )


@pytest.mark.parametrize(
    ("minutes", "mission_class", "hold"),
    [
        (10, "tidy", None), (11, "tidy", "f-1"), (19, "tidy", "f-1"), (20, "tidy", None),
        (25, "tidy", None), (25, "docs", "f-2"), (40, "docs", "f-2"), (40, "deps", None),
        (51, "deps", "f-3"),
    ],
)  # fmt: skip
def test_a_freeze_holds_its_class_between_its_two_instants(minutes, mission_class, hold):
    """Both exclusive: what happened in the instant it was opened had been decided before it."""
    found = frozen().hold(SWARM, mission_class, at(minutes))
    assert (found and found.id) == hold


def test_a_long_freeze_holds_on_after_a_short_one_that_began_later():
    found = log(
        (10, "freeze.opened", "", {"freeze": "long", "class": "tidy"}),
        (20, "freeze.opened", "", {"freeze": "short", "class": "tidy"}),
        (30, "freeze.lifted", "", {"freeze": "short"}),
        (90, "freeze.lifted", "", {"freeze": "long"}),
        (95, "freeze.opened", "", {"freeze": "last", "class": "tidy"}),
        (97, "freeze.lifted", "", {"freeze": "last"}),
    )
    holds = [found.hold(SWARM, "tidy", at(n)) for n in (25, 50, 91, 96)]
    assert [hold and hold.id for hold in holds] == ["long", "long", None, "last"]


def test_shadow_is_on_from_its_first_word_to_the_first_that_ends_it():
    said = [(5, False), (10, True), (12, True), (20, False), (25, False), (30, True), (50, False)]
    found = log(*((n, "shadow.set", "", {"shadow": on}) for n, on in said))
    on = {n for n in range(70) if found.shadow(SWARM, at(n))}
    assert on == {*range(11, 20), *range(31, 50)}


@pytest.mark.req("MODE-2", "MODE-3", "MODE-5")
@pytest.mark.parametrize(
    ("over", "asked"),
    [
        pytest.param({}, {2, 3}, id="assisted-asks-for-r2-and-r3"),
        pytest.param(LIGHTS_OUT, set(), id="lights-out-asks-nobody"),
        pytest.param({**LIGHTS_OUT, "attests": []}, {2, 3}, id="nothing-is-signed-there"),
        pytest.param({**LIGHTS_OUT, "budget": False}, {2, 3}, id="no-budget-is-bound"),
        pytest.param({**LIGHTS_OUT, "repo_allowlist": []}, {2, 3}, id="no-repository-is-listed"),
        pytest.param({**LIGHTS_OUT, "required_checks": []}, {0, 1, 2, 3}, id="nothing-is-proven"),
        pytest.param({**LIGHTS_OUT, "auto_execute": [0, 2]}, {1, 3}, id="the-installation-asks"),
        pytest.param({"auto_execute": []}, {0, 1, 2, 3}, id="the-installation-always-asks"),
        pytest.param({"auto_execute": [0, 1, 2, 3]}, {2, 3}, id="it-widens-no-mode"),
    ],
)
def test_a_policy_says_whom_a_landing_must_ask(over, asked):
    tale = Tale()
    tale.bound(1, **over)
    terms = Log(tale.entries).terms(SWARM, POLICY)
    assert {n for n in range(4) if terms.asks_a_person(n, REPO, [TARGET])} == asked
    unwatched = {n for n in range(4) if terms.asks_a_person(n, REPO, [])}
    assert unwatched == asked | {2, 3}
    assert Log(tale.entries).terms(SWARM, STRICTER) is None
    assert Log(tale.entries).terms("s-2", POLICY) is None


def test_a_policy_that_says_nothing_allows_nothing():
    tale = Tale()
    tale.log(1, "policy.bound", policy_hash=POLICY)
    terms = Log(tale.entries).terms(SWARM, POLICY)
    assert all(terms.asks_a_person(n, REPO, [TARGET]) for n in range(4))
    assert (terms.r3_allowed, terms.undecided_promotes) == (frozenset(), False)


@pytest.mark.req("VAL-6")
def test_a_ledger_that_says_nothing_of_promised_money_is_not_judged():
    tale = clean()
    tale.movements = None
    judged = check(tale.history())
    assert not judged.violations
    assert judged.unjudged == {Rule.BUDGET: 3}
    for mission in (GOOD, BAD, BIG):
        opened_as(tale, mission, reserve=0, agent="gratis")
    assert check(tale.history()).unjudged == {}, "nobody promised money"


def test_what_the_log_does_not_say_is_counted_as_not_judged():
    """18 steps, three of them landings, one of them R3: whether each gate was asked, and somebody
    who had to be, nobody can say."""
    tale = clean()
    tale.drop("policy.bound")
    judged = check(tale.history())
    assert judged.violations == ()
    assert judged.unjudged == {Rule.GATES: 18, Rule.MODE: 3, Rule.RISK: 1}
    assert (judged.examined[Rule.MODE], judged.unexamined) == (13, (Rule.GATES, Rule.RISK))
    assert check(clean().history()).unjudged == {}
