"""A LimitSet in force: unaltered, signed by somebody who may, and quick to look things up in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from swarm.regime.limits.by_regime import Breach, Metrics, RegimeLimits, breaches
from swarm.regime.limits.caps import Permission, Release, RungCaps, VenueLimits
from swarm.regime.limits.errors import LimitsNotInForce
from swarm.regime.limits.instrument import Instrument
from swarm.regime.limits.limit_set import LimitSet, content_hash
from swarm.regime.limits.people import Act, Roster
from swarm.regime.nouns import Regime, Rung


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsInForce:
    """Made by `put_in_force` alone. The maps hold what the set lists, by name."""

    limits: LimitSet
    hash: str
    signer: str
    accounts: Mapping[str, int]
    sectors: Mapping[str, int]
    instruments: Mapping[str, Instrument]
    venues: Mapping[str, VenueLimits]
    permissions: Mapping[tuple[str, str], Permission]
    restricted: frozenset[str]
    releases: Mapping[tuple[str, str], Release]
    regimes: Mapping[Regime, RegimeLimits]
    rungs: Mapping[Rung, RungCaps]

    def verify(self, regime: Regime, metrics: Metrics | None, now_ns: int) -> tuple[Breach, ...]:
        """Every limit of this regime that is not kept. Metrics that are too old are none."""
        if metrics is not None and not self.fresh(metrics.at_ns, now_ns):
            metrics = None
        return breaches(self.regimes[regime], metrics)

    def fresh(self, at_ns: int | None, now_ns: int) -> bool:
        """Whether a word of that time still counts; one from the future does not."""
        return at_ns is not None and 0 <= now_ns - at_ns <= self.limits.max_age_ns


def put_in_force(
    limits: LimitSet,
    *,
    signed_hash: str,
    signer: str | None,
    roster: Roster,
    held: LimitsInForce | None = None,
) -> LimitsInForce:
    """The set in force, when everything holds; raises LimitsNotInForce.

    signed_hash: the content hash that the signature covers.
    signer:      the listed person whose signature the border has verified; None is nobody's.
    held:        what is in force now; an older version never replaces it.
    Source: 17 CFR 240.15c3-5(d), direct and exclusive control.
    """
    digest = content_hash(limits)
    if digest != signed_hash:
        raise LimitsNotInForce(f"the set hashes to {digest[:12]}, {signed_hash[:12]} was signed")
    if signer is None or not roster.may(signer, Act.SIGN_LIMITS):
        raise LimitsNotInForce(f"{signer or 'nobody'} may not sign limits")
    if signer == limits.author:
        raise LimitsNotInForce(f"{signer} wrote the set and cannot sign it alone")
    if held is not None and limits.version < held.limits.version:
        why = f"version {limits.version} is older than {held.limits.version}, which is in force"
        raise LimitsNotInForce(why)
    if held is not None and limits.version == held.limits.version and digest != held.hash:
        raise LimitsNotInForce(f"two different sets carry version {limits.version}")
    return LimitsInForce(
        limits=limits,
        hash=digest,
        signer=signer,
        accounts={cap.name: cap.capital for cap in limits.accounts},
        sectors={cap.name: cap.capital for cap in limits.sectors},
        instruments={one.symbol: one for one in limits.instruments},
        venues={venue.name: venue for venue in limits.venues},
        permissions={(one.account, one.trader): one for one in limits.permissions},
        restricted=frozenset(limits.restricted),
        releases=_releases(limits, roster),
        regimes={one.regime: one for one in limits.regimes},
        rungs={one.rung: one for one in limits.rungs},
    )


def _releases(limits: LimitSet, roster: Roster) -> dict[tuple[str, str], Release]:
    for one in limits.releases:
        if not roster.may(one.approved_by, Act.SIGN_RELEASE):
            raise LimitsNotInForce(f"{one.approved_by} may not approve {one.strategy} {one.sha}")
    return {(one.strategy, one.sha): one for one in limits.releases}
