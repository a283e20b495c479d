"""The yearly self-assessment: from stored evidence, with signatures that are verified each time."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store.trading.evidence import ControlEvidences
from swarm.contract.errors import SwarmError
from swarm.regime.controls.assessment import (
    REQUIRED,
    SIGNATURES,
    Assessment,
    ControlEvidence,
    Signature,
)
from swarm.regime.limits.people import Act, Roster
from swarm.runtime.trading import signing
from swarm.runtime.trading.signatures import signer_of

SIGNED = "assessment-signature"  #: the kind of evidence that a signature is stored as
Period = tuple[int, int]


def period_of(year: int) -> Period:
    """The calendar year, UTC, as [since, until) in nanoseconds."""
    first, after = (int(datetime(one, 1, 1, tzinfo=UTC).timestamp()) for one in (year, year + 1))
    return first * 1_000_000_000, after * 1_000_000_000


def statement(period: Period, evidence: Sequence[ControlEvidence], act: Act) -> bytes:
    """What is signed: the period and every piece of required evidence in it, and as what."""
    body = {
        "kind": "swarm-assessment/1",
        "act": str(act),
        "period": list(period),
        "evidence": sorted(one.id for one in evidence),
    }
    return json.dumps(body, sort_keys=True, separators=(",", ":")).encode()


async def assess(database: Database, year: int, roster: Roster) -> Assessment:
    """Make the assessment of a year and keep it. A signature under other evidence is none."""
    period, evidences = period_of(year), ControlEvidences(database)
    held = await evidences.between(*period, REQUIRED)
    found = []
    for subject, body in await evidences.told(SIGNED):
        act = next((one for one in SIGNATURES if one == subject), None)
        if act is None or body.get("year") != year:
            continue
        by = _signer(statement(period, held, act), str(body.get("signature")), roster)
        if by is not None:
            found.append(Signature(by=by, act=act))
    return await evidences.assess(period, found, roster)


async def sign(
    database: Database, year: int, key: Ed25519PrivateKey, act: Act, roster: Roster
) -> str:
    """Sign what a year holds now; gives who signed. Raises SignerUnlisted."""
    by = signing.allowed(key, roster, act)
    period, evidences = period_of(year), ControlEvidences(database)
    held = await evidences.between(*period, REQUIRED)
    signature = signing.sign(key, statement(period, held, act))
    body = {"by": by, "year": year, "signature": signature}
    await evidences.add(SIGNED, str(act), time.time_ns(), body, passed=True)
    return by


def _signer(text: bytes, signature: str, roster: Roster) -> str | None:
    try:
        return signer_of(text, signature, roster)
    except SwarmError:
        return None
