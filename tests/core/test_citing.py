"""What is risky is only begun while what it cites still says what it said (T3)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from swarm.contract.verdict import Answer
from swarm.core.decide import decide
from swarm.core.decision import GiveVerdict, ReadCitation, Settle, StartRun
from swarm.core.evidence import CitationRead, Excerpt
from swarm.core.ids import evidence_id
from swarm.core.nouns import Cited, MissionKind, Risk
from swarm.core.policy import excerpts
from swarm.core.policy.citation import confidence
from swarm.core.snapshot import OpenOrder
from swarm.testing.builders import NOON, installation, mission, snapshot

pytestmark = pytest.mark.req("GATE-1")
MINUTE = timedelta(minutes=1)


def cited(origin, *, external=True, trust=0.8, citation=""):
    return Cited(
        origin=origin, citation=citation or f"https://{origin}/1", source="feed",
        external=external, trust=trust, title="Leak in 4.2", body="",
    )  # fmt: skip


NEWS, BLOG, WIKI = cited("news.example"), cited("blog.example"), cited("wiki.example")
LINE = cited("ruff", external=False, trust=0.9, citation="src/a.py:3@c0ffee00")
ALERT = cited("alertmanager", external=False, trust=0.9, citation="https://alerts.example/7")


def read(order, at=NOON, **over):
    """What a reading of this order saw; by default the title, still there."""
    seen = {"gone": False, "claims": True, "excerpts": (Excerpt(start=0, end=9, sha256="t"),)}
    return CitationRead(
        id=evidence_id(order.key), at=at, citation=order.cited.citation, origin=order.cited.origin,
        **{**seen, **over},
    )  # fmt: skip


def world(*cites, facts=(), orders=(), risk=Risk.R2, at=NOON, **over):
    one = mission(1, risk=risk, cited=cites, facts=facts, orders=orders, **over)
    anyone = installation(auto_execute=frozenset(Risk))
    return snapshot(missions=(one,), now=at, installation=anyone)


def of(plan, kind):
    return [one for one in (*plan.orders, *plan.records) if isinstance(one, kind)]


def asked(*cites, **over):
    return of(decide(world(*cites, **over)), ReadCitation)


def test_an_agent_is_sent_only_after_every_citation_was_read_again():
    first = decide(world(NEWS, BLOG))
    assert not of(first, StartRun)
    orders = of(first, ReadCitation)
    assert [order.cited for order in orders] == [BLOG, NEWS]
    assert not any(order.forward for order in orders)
    half = decide(world(NEWS, BLOG, facts=(read(orders[0]),)))
    assert [order.cited for order in of(half, ReadCitation)] == [NEWS]
    assert not of(half, StartRun)
    both = decide(world(NEWS, BLOG, facts=tuple(map(read, orders))))
    assert len(of(both, StartRun)) == 1
    (kept,) = of(both, GiveVerdict)
    assert (kept.gate, kept.verdict.reason) == ("discovery_quality", "CitationsHold")
    assert kept.verdict.answer is Answer.PASS


@pytest.mark.parametrize(
    ("minutes", "fresh"),
    [
        pytest.param(14, True, id="in-its-own-slot"),
        pytest.param(29, True, id="in-the-slot-after-it"),
        pytest.param(30, False, id="two-slots-later"),
        pytest.param(-1, False, id="in-the-slot-before-it"),
    ],
)
def test_a_reading_lasts_for_its_quarter_of_an_hour_and_the_next_one(minutes, fresh):
    facts = tuple(read(order) for order in asked(NEWS, BLOG))
    later = decide(world(NEWS, BLOG, facts=facts, at=NOON + minutes * MINUTE))
    assert bool(of(later, StartRun)) is fresh
    assert len(of(later, ReadCitation)) == (0 if fresh else 2)


@pytest.mark.parametrize("risk", [Risk.R0, Risk.R1])
def test_what_is_not_risky_is_not_held_up(risk):
    assert of(decide(world(NEWS, BLOG, risk=risk)), StartRun)


@pytest.mark.req("MODE-4")
@pytest.mark.parametrize(
    "read_again", [{}, {"gone": True}, {"claims": False}], ids=["never", "gone", "changed"]
)
def test_a_repair_is_begun_whatever_the_pages_behind_its_need_say_by_now(read_again):
    """It inherits the need and its citations; but what it repairs is there, whoever said what."""
    facts = tuple(read(order, **read_again) for order in asked(NEWS, BLOG) if read_again)
    plan = decide(world(NEWS, BLOG, facts=facts, kind=MissionKind.REMEDIATE, parent="m-0", depth=1))
    assert of(plan, StartRun)
    assert not of(plan, ReadCitation)
    assert not of(plan, GiveVerdict)


def test_where_nothing_is_cited_nobody_claims_to_have_read_it_again():
    """Absence of evidence is never a pass."""
    assert not of(decide(world()), GiveVerdict)


STUCK = "HostUnreachable: blog.example: refused"


@pytest.mark.req("LOOP-5")
@pytest.mark.parametrize(
    ("waits", "starts"),
    [
        pytest.param(["", ""], [], id="while-it-reads"),
        pytest.param([STUCK, ""], ["m-2"], id="not-while-a-page-cannot-be-asked"),
    ],
)
def test_a_mission_keeps_its_turn_while_it_reads(waits, starts):
    """Else every other agent goes first, and by the time that one ends the readings are old."""
    reads = asked(NEWS, BLOG)
    orders = tuple(
        OpenOrder(
            key=order.key, kind="read-citation", issued_at=NOON, begun=True, waits_because=why,
            next_try=NOON + MINUTE if why else None,
        )
        for order, why in zip(reads, waits, strict=True)
    )  # fmt: skip
    other = mission(2, opened_at=NOON + MINUTE)
    for known in ((), orders):
        snap = world(NEWS, BLOG, orders=known)
        plan = decide(replace(snap, missions=(*snap.missions, other)))
        assert [order.mission for order in of(plan, StartRun)] == (starts if known else [])
    snap = world(NEWS, BLOG, facts=tuple(map(read, reads)))
    plan = decide(replace(snap, missions=(*snap.missions, other)))
    assert [order.mission for order in of(plan, StartRun)] == ["m-1"]


def test_what_is_not_cited_any_more_costs_no_turn():
    """A page that cannot be asked, and that its need does not count by now, is not waited for."""
    (order,) = (order for order in asked(WIKI, NEWS, BLOG) if order.cited is WIKI)
    stuck = OpenOrder(
        key=order.key, kind="read-citation", issued_at=NOON, begun=True, waits_because=STUCK
    )
    snap = world(NEWS, BLOG, orders=(stuck,))
    plan = decide(replace(snap, missions=(*snap.missions, mission(2, opened_at=NOON + MINUTE))))
    assert not of(plan, StartRun)


@pytest.mark.parametrize(
    ("cites", "read_again"),
    [
        pytest.param((LINE, NEWS), [LINE, NEWS], id="a-line-and-a-page"),
        pytest.param((ALERT, LINE), [LINE], id="an-alert-of-our-own-vouches-for-itself"),
        pytest.param((ALERT, replace(ALERT, origin="x", citation="INC-9")), [], id="tickets"),
    ],
)
def test_pages_from_outside_and_lines_of_our_own_are_read(cites, read_again):
    orders = asked(*cites)
    assert [order.cited for order in orders] == read_again


@pytest.mark.parametrize(
    ("second", "reason", "told"),
    [
        pytest.param(
            {"claims": False}, "CitationContentChanged", "it does not say the claim",
            id="says-it-no-more",
        ),
        pytest.param({"gone": True}, "CitationGone", "nothing is there", id="is-gone"),
        pytest.param(
            {"gone": True, "detail": "410"}, "CitationGone", "410", id="is-gone-and-says-so"
        ),
        pytest.param(
            {"excerpts": (Excerpt(start=0, end=9, sha256="other"),)}, "CitationContentChanged",
            "1 piece of it gone", id="a-piece-was-edited",
        ),
    ],
)  # fmt: skip
def test_a_citation_that_changed_ends_the_mission_by_name(second, reason, told):
    before = NOON - 40 * MINUTE
    early = [read(order, at=before) for order in asked(NEWS, BLOG, at=before)]
    now = asked(NEWS, BLOG, facts=tuple(early))
    assert len(now) == 2  # the early readings are too old to begin upon
    later = [read(now[0], **second), read(now[1])]
    plan = decide(world(NEWS, BLOG, facts=(*early, *later)))
    assert not of(plan, StartRun)
    (ended,) = of(plan, Settle)
    assert (ended.outcome.kind, ended.outcome.reason) == ("refused", reason)
    assert ended.outcome.detail.startswith(f"https://blog.example/1: {told}; ")
    assert "1 of 2 citations left" in ended.outcome.detail
    assert not ended.outcome.counts_as_failure
    assert ended.retry_need_at is None
    (kept,) = of(plan, GiveVerdict)
    assert (kept.gate, kept.verdict.reason) == ("discovery_quality", reason)
    assert kept.verdict.answer is Answer.FAIL


def test_a_page_that_never_said_it_is_known_at_the_first_reading():
    orders = asked(NEWS, BLOG)
    facts = (read(orders[0], claims=False, excerpts=()), read(orders[1]))
    (ended,) = of(decide(world(NEWS, BLOG, facts=facts)), Settle)
    assert ended.outcome.reason == "CitationContentChanged"


def test_a_line_that_changed_lets_its_need_rest_and_not_wait_for_ever():
    two = (LINE, replace(LINE, origin="mypy", citation="src/a.py:9@c0ffee00"))
    orders = asked(*two)
    facts = (read(orders[0], claims=False), read(orders[1]))
    (ended,) = of(decide(world(*two, facts=facts)), Settle)
    assert ended.retry_need_at == NOON + timedelta(hours=6)


def test_what_is_left_may_be_enough():
    """As little as Gate 1 asks for: two, exactly as sure as it wants, one of them trusted."""
    cites = (NEWS, replace(BLOG, trust=0.5), WIKI)
    facts = tuple(read(order, gone=order.cited is WIKI) for order in asked(*cites))
    snap = world(*cites, facts=facts)
    policy = snap.spec.discovery.model_copy(update={"min_confidence": confidence((0.8, 0.5))})
    snap = replace(snap, spec=snap.spec.model_copy(update={"discovery": policy}))
    assert of(decide(snap), StartRun)


@pytest.mark.parametrize(
    ("trusts", "why"),
    [
        pytest.param((0.95, 0.4, 0.4), "confidence falls to 0.64", id="confidence"),
        pytest.param((0.9, 0.7, 0.7), "none that is left", id="no-trusted-one"),
    ],
)
def test_what_is_left_is_weighed_as_gate_1_weighs(trusts, why):
    cites = tuple(
        replace(one, trust=trust) for one, trust in zip((NEWS, BLOG, WIKI), trusts, strict=True)
    )
    facts = tuple(read(order, gone=order.cited.origin == "news.example") for order in asked(*cites))
    (ended,) = of(decide(world(*cites, facts=facts)), Settle)
    assert why in ended.outcome.detail


def test_a_page_that_cannot_be_reached_is_waited_for_by_name():
    (order, other) = asked(NEWS, BLOG)
    stuck = OpenOrder(
        key=order.key, kind="read-citation", issued_at=NOON, begun=True,
        waits_because="HostUnreachable: blog.example: refused", next_try=NOON + MINUTE,
    )  # fmt: skip
    # Never a pass, however long it lasts; what was read meanwhile is read again then.
    for later, stale in ((timedelta(0), "1 citation"), (timedelta(hours=5), "2 citations")):
        plan = decide(world(NEWS, BLOG, facts=(read(other),), orders=(stuck,), at=NOON + later))
        assert not of(plan, StartRun)
        assert not [one for one in of(plan, ReadCitation) if one.cited is BLOG]
        ((_, standing),) = plan.standings
        assert standing.reason == "CitationsPending"
        assert standing.detail == (
            f"{stale} of an R2 to read again; "
            "read-citation waits: HostUnreachable: blog.example: refused"
        )


def test_a_flood_of_citations_is_read_up_to_a_bound():
    many = tuple(cited(f"site{number}.example") for number in range(50))
    assert len(asked(*many)) == 8


@pytest.mark.parametrize(
    ("citation", "place"),
    [
        ("src/a.py:3@c0ffee00", ("src/a.py", 3, "c0ffee00")),
        ("src/a.py@c0ffee00", ("src/a.py", 0, "c0ffee00")),
        ("src/a b.py:3", ("src/a b.py", 3, "")),
        ("src/a.py", None),
        ("https://example.org/a:3", None),
        ("test:tests.test_a::test_b", None),
        ("INC-12", None),
        ("src/a.py:999999999999", None),
        ("", None),
    ],
)
def test_which_citations_are_places_in_a_repository(citation, place):
    assert excerpts.file_place(citation) == place


BODY = "Headers without a colon leak memory. Upgrade to 4.2.1 as soon as you can! No."


@pytest.mark.parametrize(
    ("page", "claims", "pieces"),
    [
        pytest.param("Leak in 4.2\n" + BODY, True, 3, id="word-for-word"),
        pytest.param("  LEAK  in 4.2 is news", True, 1, id="the-title-alone"),
        pytest.param("Upgrade to 4.2.1 as soon as you can!", True, 1, id="half-of-the-body"),
        pytest.param("Leak in 4.3; upgrade to 4.3.1 as soon as you can", False, 0, id="edited"),
        pytest.param("", False, 0, id="nothing"),
    ],
)
def test_what_of_a_claim_a_page_still_says(page, claims, pieces):
    wanted = excerpts.pieces("Leak in 4.2", BODY)
    found = excerpts.find(excerpts.plain(page), wanted)
    assert (excerpts.claims(wanted, found), len(found)) == (claims, pieces)
    for one in found:
        assert excerpts.plain(page)[one.start : one.end] in wanted


LONG = "This sentence is so long that it is known."  # 42 characters
TWICE = LONG + " And so is this other one of them."


@pytest.mark.parametrize(
    ("body", "page", "claims"),
    [
        pytest.param(LONG, LONG, True, id="the-only-sentence"),
        pytest.param(TWICE, LONG, True, id="one-of-two"),
        pytest.param(
            TWICE + " And a third one, longer than the rest.", LONG, False, id="one-of-three"
        ),
        pytest.param("", LONG, False, id="of-a-title-alone-nothing"),
        pytest.param(TWICE + " And a third one, longer than the rest.", "leak", True, id="title"),
        pytest.param(
            "Four and twenty letters.", "Four and twenty letters.", True, id="24-characters"
        ),
        pytest.param(
            "Three and twenty are no", "Three and twenty are no", False, id="23-characters"
        ),
    ],
)
def test_half_of_the_long_sentences_or_the_title_are_the_claim(body, page, claims):
    wanted = excerpts.pieces("leak", body)
    assert excerpts.claims(wanted, excerpts.find(excerpts.plain(page), wanted)) is claims


@pytest.mark.parametrize(
    ("external", "trust", "tier"),
    [(False, 0.1, "own"), (True, 0.8, "trusted"), (True, 0.79, "other")],
)
def test_a_reading_says_how_far_its_source_is_trusted(external, trust, tier):
    assert excerpts.tier(cited("one.example", external=external, trust=trust)) == tier


def test_a_claim_that_was_forgotten_is_found_nowhere():
    wanted = excerpts.pieces("", "")
    assert not excerpts.claims(wanted, excerpts.find("anything at all", wanted))
