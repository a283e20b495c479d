"""Before anything risky is begun, what it cites is read again (T3).

Discovered text ages: a page is edited, an advisory withdrawn, a line rewritten. Missions of R2 and
R3 are only dispatched while enough citations still say what they said when their need was found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from swarm.contract.counted import counted
from swarm.contract.verdict import Answer, Verdict
from swarm.core.decision import GiveVerdict
from swarm.core.evidence import CitationRead
from swarm.core.findings import Findings
from swarm.core.gates import discovery_quality
from swarm.core.ids import evidence_id
from swarm.core.nouns import Cited, MissionKind, OutcomeKind, Risk
from swarm.core.orders import Orders
from swarm.core.policy import excerpts
from swarm.core.policy.citation import anchors, confidence
from swarm.core.reasons import Reason
from swarm.core.saying import Ending, Saying, View, settled, verdict_record
from swarm.core.snapshot import Mission

SLOT = timedelta(minutes=15)  #: a reading of this slot or the one before is fresh
READ_MOST = 8  #: the strongest citations; a flood of them costs no flood of requests
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Citing:
    """What re-reading came to.

    word:    why nothing is sent now; None when it may be.
    reading: the answers are under way, so its turn is kept: until the next one they would age.
    """

    word: Saying | None = None
    reading: bool = False
    records: tuple[GiveVerdict, ...] = ()


def hold(room: str, mission: Mission, found: Findings, view: View) -> Citing:
    """Nothing below R2; else orders to read again, a wait for them, or the end of the mission."""
    # A repair mends what is there by now, whatever the page says that its need was found on.
    if mission.risk < Risk.R2 or mission.kind is not MissionKind.DELIVER or not mission.cited:
        return Citing()
    cited = _strongest(mission, view)
    stale = [one for one in cited if not _fresh(one, mission, found, view)]
    if stale:
        word, stuck = _read(room, mission, found, view, stale)
        return Citing(word=word, reading=not stuck)
    broken = {one.citation: why for one in cited if (why := _broken(found.cited.get(one.citation)))}
    intact = [one for one in cited if one.citation not in broken]
    wrong = _too_little(intact, view) if broken else None
    if wrong is None:
        detail = f"{len(intact)} of {len(cited)} read again"
        good = Verdict(answer=Answer.PASS, reason=Reason.CITATIONS_HOLD, detail=detail)
        return Citing(records=(_kept(mission, good, view),))
    first = next(one for one in cited if one.citation in broken)
    reason, detail = broken[first.citation]
    bad = Verdict(answer=Answer.FAIL, reason=reason, detail=f"{detail}; {wrong}")
    # A page that changed is another statement: its need waits for new evidence. A line that moved
    # on is found again by the next reading of the tool, or is not.
    rest = None if first.external else view.now + view.snapshot.installation.need_cooldown
    ending = Ending(kind=OutcomeKind.REFUSED, reason=reason, detail=bad.detail, retry_at=rest)
    word = settled(room, mission, found, view.now, ending)
    return Citing(word=word.recording(_kept(mission, bad, view)))


def _strongest(mission: Mission, view: View) -> list[Cited]:
    most = max(READ_MOST, view.snapshot.spec.discovery.min_citations)
    return sorted(mission.cited, key=lambda one: (-one.trust, one.origin))[:most]


def _slot(view: View, back: int = 0) -> str:
    return str((view.now - _EPOCH) // SLOT - back)


def _fresh(cited: Cited, mission: Mission, found: Findings, view: View) -> bool:
    """True when a reading is there that is young enough, or none is possible."""
    if not excerpts.readable(cited):
        return True
    orders = Orders(mission, view.snapshot)
    keys = (orders.read_citation(cited, _slot(view, back)).key for back in (0, 1))
    return any(evidence_id(key) in found.answered for key in keys)


def _read(
    room: str, mission: Mission, found: Findings, view: View, stale: Sequence[Cited]
) -> tuple[Saying, bool]:
    """Ask for what is stale, one order for each at a time, however long its answer takes.

    And whether one of them cannot be asked: nobody else waits until a dead page is back.
    """
    orders = Orders(mission, view.snapshot)
    reads = [orders.read_citation(one, _slot(view)) for one in stale]
    wanted = {_page(order.key): order for order in reads}
    asked = {_page(key): order for key, order in found.open_orders.items()}
    stuck = any(asked[page].waits_because for page in wanted.keys() & asked.keys())
    word = Saying(
        room=room,
        reason=Reason.CITATIONS_PENDING,
        detail=f"{counted(len(stale), 'citation')} of an R{mission.risk:d} to read again",
        next_action="the agent starts when they still say what they said",
        orders=tuple(order for page, order in wanted.items() if page not in asked),
    )
    return word, stuck


def _page(key: str) -> str:
    """What a reading is of, whatever its slot."""
    return key.rpartition("/")[0]


def _broken(reads: Sequence[CitationRead] | None) -> tuple[Reason, str] | None:
    """Why a citation does not count any more: gone, or not saying what it said at first."""
    if not reads:
        return None
    first, last = reads[0], reads[-1]
    if last.gone:
        return Reason.CITATION_GONE, f"{last.citation}: {last.detail or 'nothing is there'}"
    lost = {piece.sha256 for piece in first.excerpts} - {piece.sha256 for piece in last.excerpts}
    if not last.claims or lost:
        what = f"{counted(len(lost), 'piece')} of it gone" if lost else "it does not say the claim"
        return Reason.CITATION_CONTENT_CHANGED, f"{last.citation}: {last.detail or what}"
    return None


def _too_little(intact: Sequence[Cited], view: View) -> str | None:
    """What Gate 1 would say to the citations that are left; None when they are enough."""
    policy, sure = view.snapshot.spec.discovery, confidence(one.trust for one in intact)
    if len(intact) < policy.min_citations:
        return f"{len(intact)} of {counted(policy.min_citations, 'citation')} left"
    if sure < policy.min_confidence:
        return f"confidence falls to {sure:.2f}, below {policy.min_confidence:.2f}"
    if not any(anchors(one.trust, external=one.external) for one in intact):
        return "none that is left is our own or from a trusted source"
    return None


def _kept(mission: Mission, verdict: Verdict, view: View) -> GiveVerdict:
    gate = discovery_quality
    return verdict_record(mission, gate.NAME, gate.SUBJECT, verdict, view.now)
