"""Control 12: setting one control aside, for one order, by two people, for a short time.

Source: RTS 6 Article 15(6): only in relation to a specific trade, on a temporary basis and in
exceptional circumstances, verified by the risk function and authorised by a designated individual.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Final

from swarm.regime.controls.decision import Control
from swarm.regime.controls.errors import OverrideRefused
from swarm.regime.controls.order import TradeOrder, order_hash
from swarm.regime.limits.instrument import SECOND
from swarm.regime.limits.people import Act, Roster

#: What an exception can sensibly set aside. Nobody can set aside a kill, a latch, permissions,
#: the caps on capital, or the limits themselves.
OVERRIDABLE: Final = frozenset(
    {Control.COLLAR, Control.NOTIONAL, Control.QUANTITY, Control.DUPLICATE}
)
#: An exception that lasts longer is a limit, and belongs into the LimitSet.
LONGEST_NS: Final = 900 * SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """Made by `override` alone, after both signatures were verified."""

    order_hash: str
    control: Control
    expires_ns: int
    verified_by: str
    authorised_by: str
    nonce: str


def statement(given: Override) -> bytes:
    """The bytes that both people sign; two different overrides never have the same."""
    body = {"kind": "swarm-override/1", **asdict(given), "control": given.control.name}
    return json.dumps(body, sort_keys=True, separators=(",", ":")).encode()


def override(
    given: Override,
    order: TradeOrder,
    roster: Roster,
    now_ns: int,
    barred: Collection[str] = (),
) -> Override:
    """The override, when it may be used for this order now. Raises OverrideRefused.

    given: as its two signers said it; the border has verified that both signed exactly this.
    barred: authors of the limits and of the strategy: nobody sets the own work's limits aside.
    """
    if given.control not in OVERRIDABLE:
        raise OverrideRefused(f"{given.control.name} cannot be set aside by anybody")
    if given.order_hash != order_hash(order):
        raise OverrideRefused(f"it is for another order than {order.id}")
    if not now_ns < given.expires_ns <= now_ns + LONGEST_NS:
        raise OverrideRefused("it has expired, or lasts longer than 15 minutes")
    if given.verified_by == given.authorised_by:
        raise OverrideRefused(f"{given.verified_by} cannot be both people")
    if order.trader in {given.verified_by, given.authorised_by}:
        raise OverrideRefused(f"{order.trader} cannot approve the own order")
    if own := sorted({given.verified_by, given.authorised_by} & set(barred)):
        raise OverrideRefused(f"{own[0]} is an author of what is set aside")
    if not roster.may(given.verified_by, Act.VERIFY_OVERRIDE):
        raise OverrideRefused(f"{given.verified_by} may not verify")
    if not roster.may(given.authorised_by, Act.AUTHORISE_OVERRIDE):
        raise OverrideRefused(f"{given.authorised_by} may not authorise")
    return given
