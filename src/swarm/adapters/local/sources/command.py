"""A source that runs a command in a clean checkout and tells what it found that is new."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

from swarm.adapters.local.sources import json_lines, process, ruff_json, sarif
from swarm.adapters.local.sources.checkout import Checkouts
from swarm.adapters.local.sources.errors import CheckoutFailed, CommandFailed
from swarm.adapters.local.sources.report import Report
from swarm.adapters.local.sources.settings import CommandSettings, Format
from swarm.adapters.local.sources.standing import Remembered, from_cursor, news
from swarm.core.ids import MissionId
from swarm.core.policy.cleaning import Form, clean_line
from swarm.ports.gathering import Gathering, Refusals, in_readings
from swarm.ports.signal_line import Bearing, SignalLine
from swarm.ports.source_settings import Place
from swarm.ports.sources import Reading

_Told = tuple[str, Remembered, Report, str, int, dict[str, MissionId]]
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class CommandSource:
    """Implements `ports.sources.Source` for `kind = "command"`.

    checkouts: needed unless the settings name a `workdir`.
    """

    def __init__(
        self, settings: CommandSettings, place: Place, checkouts: Checkouts | None = None
    ) -> None:
        self.name = settings.name
        self._settings = settings
        self._place = place
        self._checkouts = checkouts
        told = settings.model_dump_json(exclude={"every", "timeout", "quiet_after"})
        self._of = hashlib.sha256(told.encode()).hexdigest()[:16]

    async def read(self, cursor: str) -> AsyncIterator[Reading]:
        """What the command reports and did not report before. Raises a kind of SourceDown."""
        before = from_cursor(cursor, self._of)
        slot = int((self._place.now() - _EPOCH) / self._settings.repeat_after)
        if self._settings.workdir is not None:
            report = await self._run(self._settings.workdir)
            told: _Told = (cursor, before, report, "", slot, {})
        else:
            commit = await self._tip()
            if (before.commit, before.slot) == (commit, slot):
                return  # what depends on the commit alone has not changed
            async with self._folders.at(self._settings.repo, commit) as folder:
                report = await self._run(folder)
            causes = await self._folders.causes(self._settings.repo, before.commit, commit)
            told = (cursor, before, report, commit, slot, causes)
        # In a thread: ten thousand findings are a second of work, and the loop has other sources.
        for reading in await asyncio.to_thread(self._tell, *told):
            yield reading

    @property
    def _folders(self) -> Checkouts:
        if self._checkouts is None:
            raise CheckoutFailed(f"{self.name}: repository {self._settings.repo!r} is not bound")
        return self._checkouts

    async def _tip(self) -> str:
        return await self._folders.tip(self._settings.repo)

    async def _run(self, folder: Path) -> Report:
        settings = self._settings
        ran = await process.run(
            settings.run,
            folder,
            process.environment(settings.environment),
            settings.timeout,
            settings.max_bytes,
        )
        # A linter that ends with 1 because it found something says what; a script that broke down
        # ends with 1 too, and says only why.
        broke = ran.code != 0 and not ran.out.strip() and bool(ran.err.strip())
        if ran.code not in settings.ok_exit_codes or broke:
            last = clean_line(ran.err[-600:], Form.PLAIN, 300).text or "it said nothing"
            how = f"exit code {ran.code}" if ran.code >= 0 else f"signal {-ran.code}"
            raise CommandFailed(f"{settings.run[0]!r} ended with {how}: {last}")
        return await asyncio.to_thread(_parser(settings), ran.out, folder)

    def _tell(
        self,
        cursor: str,
        before: Remembered,
        report: Report,
        commit: str,
        slot: int,
        causes: dict[str, MissionId],
    ) -> list[Reading]:
        found = news(before, report.lines, commit, slot, self._settings.max_signals)
        bearing = Bearing(
            origin=self.name, form=Form.PLAIN, read_at=self._place.now(), commit=commit
        )
        gathering = Gathering(self._settings, self._place, bearing)
        for external_id, line in found.told:
            gathering.take(_where(line), _with_cause(line, causes), external_id)
        refused = _joined(report.refusals, gathering.refusals)
        cursors = (cursor, found.after.as_cursor())
        told_before = len(report.lines) > len(found.told)
        return list(in_readings(gathering.signals, cursors, refused, known=told_before))


def _parser(settings: CommandSettings) -> Callable[[bytes, Path], Report]:
    match settings.format:
        case Format.SARIF:
            return lambda data, root: sarif.parse(data, root, settings.value, settings.rates)
        case Format.RUFF:
            return lambda data, root: ruff_json.parse(data, root, settings.by_hand_class)
        case Format.LINES:
            return json_lines.parse


def _where(line: SignalLine) -> str:
    return f"{line.rule or 'a finding'} in {line.path or 'no file'}"


def _with_cause(line: SignalLine, causes: dict[str, MissionId]) -> SignalLine:
    cause = causes.get(line.path)
    if cause is None or line.caused_by is not None:
        return line
    return line.model_copy(update={"caused_by": cause})


def _joined(*parts: Refusals) -> tuple[str, ...]:
    return tuple(text for part in parts for text in part.all())
