"""What the independent monitor makes of what it sees. Control 15; RTS 6 Article 16.

The same rules as the gate's, asked after the fact and by somebody else: a breach that came from the
market, from a fill or from a fault of the gate itself is found here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from swarm.regime.controls.books import FIRM
from swarm.regime.controls.ledger import Ledger
from swarm.regime.controls.measures import concentration
from swarm.regime.limits.by_regime import Metrics
from swarm.regime.limits.in_force import LimitsInForce
from swarm.regime.nouns import Regime


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Something is wrong now. subject: what a repeated alert is known by."""

    subject: str
    detail: str


def alerts(ledger: Ledger, limits: LimitsInForce, now_ns: int) -> tuple[Alert, ...]:
    """Everything that is wrong at this moment, by what was applied to this ledger.

    Without a known regime the strictest one counts: uncertainty is no reason to allow more.
    """
    regime = ledger.regime[0] if ledger.regime else Regime.UNCERTAIN
    found = [
        Alert(subject=f"limit:{breach.measure}", detail=breach.sentence)
        for breach in limits.verify(regime, _with_own_books(ledger, limits, regime), now_ns)
    ]
    caps = {
        FIRM: limits.limits.firm,
        **{("account", name): cap for name, cap in limits.accounts.items()},
        **{("sector", name): cap for name, cap in limits.sectors.items()},
        **{("symbol", name): one.capital for name, one in limits.instruments.items()},
    }
    for scope, total in sorted(ledger.accounts.totals.items()):
        name = ":".join(scope).strip(":")
        cap = caps.get(scope)
        if total > (cap or 0):
            detail = f"{name} comes to {total}, at most {cap if cap is not None else 'nothing'}"
            found.append(Alert(subject=f"capital:{name}", detail=detail))
    found += [
        Alert(subject=f"value:{symbol}", detail=f"{symbol} is held and has no value")
        for symbol in ledger.accounts.unvalued()
    ]
    found += [
        Alert(subject=f"break:{one.broken}", detail=one.detail) for one in ledger.breaks.values()
    ]
    return tuple(found)


def _with_own_books(ledger: Ledger, limits: LimitsInForce, regime: Regime) -> Metrics | None:
    """What was measured, with exposure and concentration as these books say, where that is more."""
    seen = ledger.metrics
    if seen is None:
        return None
    exposure = ledger.accounts.totals.get(FIRM, 0)
    share = concentration(ledger, limits, regime)
    return replace(
        seen,
        exposure=None if seen.exposure is None else max(seen.exposure, exposure),
        concentration_ppm=(
            None if seen.concentration_ppm is None else max(seen.concentration_ppm, share)
        ),
    )
