"""What a person signs to undo what a control did: one act, one subject, once, and not for long.

Source: RTS 6 Article 15(3): automatically disabled until re-enabled by a designated staff member.
So no timer, no restart and no agent ever switches anything on again.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Final

from swarm.regime.controls.errors import TokenRefused
from swarm.regime.limits.instrument import SECOND
from swarm.regime.limits.people import Act, Roster

LONGEST_NS: Final = 3_600 * SECOND  #: a token that lay about for longer is asked for anew
_NONCE_LEAST = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One person's word. subject: the id of the latch, kill or break that it undoes.

    nonce: at least 16 characters that were never used before. Times in nanoseconds UTC.
    """

    act: Act
    subject: str
    by: str
    nonce: str
    issued_ns: int
    expires_ns: int


def statement(token: Token) -> bytes:
    """The bytes that are signed; two different tokens never have the same."""
    body = {"kind": "swarm-token/1", **asdict(token)}
    return json.dumps(body, sort_keys=True, separators=(",", ":")).encode()


def accept(
    token: Token,
    *,
    act: Act,
    subject: str,
    signer: str | None,
    roster: Roster,
    barred: Collection[str],
    used: Collection[str],
    now_ns: int,
) -> Token:
    """The token, when it allows this now; raises TokenRefused. Using it up is the caller's.

    signer: the listed person whose signature over `statement` the border verified; None is nobody.
    barred: authors of what was switched off: nobody judges the own work.
    """
    faults = {
        f"nobody listed signed it as {token.by}": signer is None or signer != token.by,
        f"{token.by} may not {act}": not roster.may(token.by, act),
        f"{token.by} is the author of what was stopped": token.by in barred,
        f"it is for {token.act} of {token.subject}": (token.act, token.subject) != (act, subject),
        "its nonce is too short": len(token.nonce) < _NONCE_LEAST,
        "it was used before": token.nonce in used,
        "it is not valid now": not token.issued_ns <= now_ns < token.expires_ns,
        "it lasts longer than an hour": token.expires_ns - token.issued_ns > LONGEST_NS,
    }
    if wrong := [what for what, holds in faults.items() if holds]:
        raise TokenRefused("; ".join(wrong))
    return token
