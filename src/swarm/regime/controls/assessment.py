"""The annual self-assessment: made from stored evidence, and it says what is missing.

Control 22; RTS 6 Article 9 (annual self-assessment, validation, audit), 17 CFR 240.15c3-5(e)
(annual review and the chief executive's certificate).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

from swarm.regime.controls.errors import AssessmentInvalid
from swarm.regime.limits.people import Act, Roster

REQUIRED: Final[dict[str, str]] = {
    "chain-verified": "the records of the gate were verified against their hash chain",
    "limits-reviewed": "every limit was reviewed and signed",
    "kill-drill": "the kill switch was tried on every venue",
    "restore-drill": "records were restored from a backup and verified",
    "stress-replay": "twice the six-month peak of messages was replayed",
    "reconciliation": "books were compared with the venues'",
    "monitor-drill": "an injected breach raised an alert in time",
    "release-tests": "every released strategy was tested in its own environment",
    "role-review": "who may do what was reviewed against the roster",
    "penetration-test": "access was tested by somebody from outside",
    "business-continuity": "the loss of the database and of a venue were tried",
    "surveillance-review": "flags of surveillance were looked at",
}
"""Every kind of evidence that an assessment must hold, and what it proves."""

SIGNATURES: Final = (Act.SIGN_ASSESSMENT, Act.CERTIFY)
"""What must be signed, by different people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlEvidence:
    """One thing that was seen. id: of the stored row. at_ns: when it was seen."""

    id: str
    kind: str
    subject: str
    at_ns: int
    passed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A person's verified signature under this assessment's evidence, and as what they signed."""

    by: str
    act: Act


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What an assessment says. It is complete when nothing is missing; `missing` is for people.

    since_ns, until_ns: the period; evidence from outside of it counts for nothing.
    """

    since_ns: int
    until_ns: int
    evidence: tuple[ControlEvidence, ...]
    signers: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def id(self) -> str:
        """SHA-256 of the canonical text."""
        return hashlib.sha256(text(self)).hexdigest()


def text(assessment: Assessment) -> bytes:
    """The one text of an assessment."""
    return json.dumps(asdict(assessment), sort_keys=True, separators=(",", ":")).encode()


def assess(
    period: tuple[int, int],
    evidence: Sequence[ControlEvidence],
    signatures: Sequence[Signature],
    roster: Roster,
) -> Assessment:
    """The assessment of [since, until) in nanoseconds. Raises AssessmentInvalid on an empty period.

    The newest evidence of a kind and subject is what counts: a drill that failed and was repeated
    well is passed, one that passed and failed since is not.
    """
    since, until = period
    if not since < until:
        raise AssessmentInvalid(f"the period ends at {until}, before it began at {since}")
    inside = sorted(
        {one.id: one for one in evidence if since <= one.at_ns < until}.values(),
        key=lambda one: (one.kind, one.subject, one.at_ns, one.id),
    )
    newest = {(one.kind, one.subject): one for one in inside}
    missing = [
        f"{kind}: no evidence that {what}"
        for kind, what in REQUIRED.items()
        if not any(seen == kind for seen, _ in newest)
    ]
    missing += [
        f"{one.kind}: {one.subject} did not pass"
        for one in newest.values()
        if not one.passed and one.kind in REQUIRED
    ]
    signers = _signers(signatures, roster)
    missing += [f"{act}: nobody signed" for act in SIGNATURES if act not in signers]
    if len(set(signers.values())) < len(signers):
        missing.append("signatures: one person signed for all")
    return Assessment(
        since_ns=since,
        until_ns=until,
        evidence=tuple(inside),
        signers=tuple(sorted(set(signers.values()))),
        missing=tuple(missing),
    )


def _signers(signatures: Sequence[Signature], roster: Roster) -> dict[Act, str]:
    """Who signed as what; a signature by somebody who may not is none."""
    return {
        one.act: one.by
        for one in signatures
        if one.act in SIGNATURES and roster.may(one.by, one.act)
    }
