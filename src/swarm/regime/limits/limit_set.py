"""The LimitSet: every number that bounds trading, as one value with one text and one hash."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from itertools import pairwise

from swarm.regime.limits import checked
from swarm.regime.limits.by_regime import Measure, RegimeLimits
from swarm.regime.limits.caps import (
    EVERYTHING,
    CapitalCap,
    Permission,
    Release,
    Repetition,
    RungCaps,
    VenueLimits,
)
from swarm.regime.limits.errors import LimitsInvalid
from swarm.regime.limits.instrument import DAY, Instrument
from swarm.regime.nouns import DEFENSIVENESS, LADDER, Regime

SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSet:
    """All limits of one firm. Raises LimitsInvalid. Money in micro-units of `currency`.

    version:  rises by one with each set; an older one never replaces a newer one.
    author:   who wrote it; somebody else signs it.
    firm:     money that everything together may come to.
    regimes:  one entry for each regime; a more defensive one is never laxer in anything.
    rungs:    one entry for each rung; a higher one is never narrower.
    max_age_ns: an older word on the regime or on the measures is none.
    """

    name: str
    version: int
    author: str
    issued_ns: int
    currency: str
    firm: int
    accounts: tuple[CapitalCap, ...]
    sectors: tuple[CapitalCap, ...]
    instruments: tuple[Instrument, ...]
    venues: tuple[VenueLimits, ...]
    permissions: tuple[Permission, ...]
    restricted: tuple[str, ...]
    releases: tuple[Release, ...]
    repetition: Repetition
    regimes: tuple[RegimeLimits, ...]
    rungs: tuple[RungCaps, ...]
    max_age_ns: int

    def __post_init__(self) -> None:
        for field in ("name", "author", "currency"):
            checked.name(field, getattr(self, field))
        checked.whole("version", self.version, least=1, most=2**31)
        checked.whole("issued_ns", self.issued_ns, least=1)
        checked.whole("firm", self.firm)
        checked.whole("max_age_ns", self.max_age_ns, least=1, most=DAY)
        checked.names("restricted", self.restricted)
        for field in ("accounts", "sectors", "instruments", "venues", "permissions", "releases"):
            checked.listed(field, getattr(self, field))
        self._each_once()
        self._each_known()
        _regimes(self.regimes)
        _rungs(self.rungs)

    def _each_once(self) -> None:
        checked.distinct("accounts", (cap.name for cap in self.accounts))
        checked.distinct("sectors", (cap.name for cap in self.sectors))
        checked.distinct("instruments", (one.symbol for one in self.instruments))
        checked.distinct("venues", (venue.name for venue in self.venues))
        checked.distinct("permissions", ((one.account, one.trader) for one in self.permissions))
        checked.distinct("releases", ((one.strategy, one.sha) for one in self.releases))

    def _each_known(self) -> None:
        """A name that nothing defines is a typing error, and would bound nothing."""
        sectors = {cap.name for cap in self.sectors}
        accounts = {cap.name for cap in self.accounts}
        venues = {venue.name for venue in self.venues}
        symbols = {one.symbol for one in self.instruments} | {EVERYTHING}
        for one in self.instruments:
            _known(f"instrument[{one.symbol}].sector", {one.sector}, sectors)
        for permission in self.permissions:
            where = f"permission[{permission.account}, {permission.trader}]"
            _known(f"{where}.account", {permission.account}, accounts)
            _known(f"{where}.venues", set(permission.venues), venues)
            _known(f"{where}.symbols", set(permission.symbols), symbols)


def _known(field: str, wanted: set[str], listed: set[str]) -> None:
    if missing := sorted(wanted - listed):
        raise LimitsInvalid(field, f"{missing[0]!r} is not listed", "list it, or correct the name")


def _regimes(regimes: tuple[RegimeLimits, ...]) -> None:
    checked.listed("regimes", regimes)
    checked.distinct("regimes", (one.regime for one in regimes))
    if missing := sorted(set(Regime) - {one.regime for one in regimes}):
        raise LimitsInvalid("regimes", f"{missing[0]} is missing", "limit every regime")
    for laxer in regimes:
        for tighter in regimes:
            if DEFENSIVENESS[tighter.regime] > DEFENSIVENESS[laxer.regime]:
                for measure in Measure:
                    values = (getattr(tighter, measure), getattr(laxer, measure))
                    where = f"regimes[{tighter.regime}].{measure}"
                    checked.rising(where, values, along="where less caution is asked for")


def _rungs(rungs: tuple[RungCaps, ...]) -> None:
    checked.listed("rungs", rungs)
    if tuple(one.rung for one in rungs) != LADDER:
        raise LimitsInvalid("rungs", "not every rung in its order", "list shadow, 1, 5, 20, full")
    for lower, higher in pairwise(rungs):
        for field in ("symbols", "venues", "positions", "capital"):
            values = (getattr(lower, field), getattr(higher, field))
            checked.rising(f"rungs[{higher.rung.label}].{field}", values, along="up the ladder")


def canonical_bytes(limits: LimitSet) -> bytes:
    """The one text of a set: sorted names, no spaces, ASCII. It is what is hashed and signed."""
    body = {"schema": SCHEMA, "limits": asdict(limits)}
    return json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def content_hash(limits: LimitSet) -> str:
    """SHA-256 of the canonical bytes, 64 hexadecimal digits."""
    return hashlib.sha256(canonical_bytes(limits)).hexdigest()
