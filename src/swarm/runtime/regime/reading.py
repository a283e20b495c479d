"""What the store says of the regime and the limits of a target that trades, at one look."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store.regime.states import RegimeStates, SavedState
from swarm.adapters.postgres.store.trading.evidence import ControlEvidences
from swarm.core.decision import TakeLook
from swarm.core.evidence import LookTaken, RegimeRead
from swarm.ports.hands import Metrics
from swarm.ports.reply import Done, Reply
from swarm.regime.controls.assessment import ControlEvidence
from swarm.runtime.regime.promotion import LIMITS_SEEN
from swarm.runtime.regime.settings import RegimeSettings

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class RegimeReader:
    """Reads what was stored of the targets that trade. bound: by target."""

    def __init__(
        self, database: Database, bound: Mapping[str, RegimeSettings], now: Callable[[], datetime]
    ) -> None:
        self.bound = bound
        self._database, self._now = database, now

    async def read(self, target: str) -> RegimeRead:
        """What is known of a bound target now."""
        settings, until = self.bound[target], self._now()
        state = await RegimeStates(self._database).load(settings.stream)
        return read(state, await self.words(target, until), settings)

    async def words(self, target: str, until: datetime) -> list[ControlEvidence]:
        """Every word on the limits of its strategies that is not too old at `until`."""
        settings = self.bound[target]
        seen = await ControlEvidences(self._database).between(
            _ns(until - settings.word_lasts), _ns(until) + 1_000
        )
        mine = set(settings.strategies)
        return [one for one in seen if one.kind == LIMITS_SEEN and one.subject in mine]


def read(
    state: SavedState | None, words: Sequence[ControlEvidence], settings: RegimeSettings
) -> RegimeRead:
    """Put together what was stored. One word of a breach outweighs any number that say no."""
    newest = {one.subject: one.at_ns for one in sorted(words, key=lambda one: one.at_ns)}
    lacking = [f"the limits of {name}" for name in settings.strategies if name not in newest]
    if state is None:
        lacking.append(f"the regime of {settings.stream}")
    times = [*newest.values(), *([state.at_ns] if state is not None else [])]
    return RegimeRead(
        regime=str(state.record["id"]) if state is not None else "",
        posture=str(state.record["posture"]) if state is not None else "",
        state=str(state.record.get("stateHash", "")) if state is not None else "",
        at=None if lacking else _at(min(times)),
        breached=tuple(breach(one) for one in words if not one.passed),
        lacking=tuple(lacking),
    )


def breach(word: ControlEvidence) -> str:
    """One broken limit as a sentence, with the evidence that says so."""
    return f"{word.subject} broke a limit at {_at(word.at_ns):%Y-%m-%d %H:%M:%S} ({word.id[:12]})"


class WithRegime:
    """`ports.hands.Metrics` that also brings the regime of a target that trades."""

    def __init__(self, metrics: Metrics, reader: RegimeReader) -> None:
        self._metrics, self._reader = metrics, reader

    async def look(self, order: TakeLook) -> Reply:
        """The counters, and for a bound target what is known of its limits."""
        reply = await self._metrics.look(order)
        match reply:
            case Done(fact=LookTaken() as taken) if order.target in self._reader.bound:
                return Done(fact=replace(taken, regime=await self._reader.read(order.target)))
            case _:
                return reply


def _ns(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1) * 1_000


def _at(at_ns: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at_ns // 1_000)
