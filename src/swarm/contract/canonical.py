"""One text for one policy, so that equal policies have equal hashes wherever they are computed."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from swarm.contract.swarm import SwarmSpec


def canonical_spec(spec: SwarmSpec) -> str:
    """The defaulted spec as JSON: sorted names, no spaces, canonical durations, nothing absent.

    Two spellings of one policy (`60m` and `1h`, 1 and 1.0, left out and written as the default)
    give the same text.
    """
    plain = spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def policy_hash(spec: SwarmSpec) -> str:
    """SHA-256 of the canonical spec, 64 hexadecimal digits. Approvals and verdicts name it."""
    return hashlib.sha256(canonical_spec(spec).encode()).hexdigest()
