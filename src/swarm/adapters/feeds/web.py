"""What all sources on the network share: one client, one token, one way to say that it is down."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from swarm.adapters.feeds.client import EgressClient, Fetched, Wanted
from swarm.adapters.feeds.errors import EgressRefused, SecretMissing, SourceRefused, TooSlow
from swarm.adapters.feeds.mark import Mark, key_of
from swarm.adapters.feeds.network import Resolver
from swarm.adapters.feeds.origin import origin_of, same_place
from swarm.adapters.feeds.settings import WebSettings
from swarm.ports.gathering import Gathering, in_readings
from swarm.ports.signal_line import SignalLine
from swarm.ports.source_settings import Place
from swarm.ports.sources import Reading

#: Settings that change nothing about what an answer says.
_ASIDE = {"every", "timeout", "quiet_after", "ca_file", "token_env", "max_bytes", "max_signals"}


def settings_hash(settings: WebSettings) -> str:
    """What a cursor belongs to: other settings read everything afresh."""
    return hashlib.sha256(settings.model_dump_json(exclude=_ASIDE).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Entry:
    """One statement of an answer: what to call it in messages, its own id, and what it says."""

    where: str
    external_id: str
    line: SignalLine


class Web:
    """Fetches for one source. Every rule that forbids a fetch makes the source down, by name."""

    def __init__(
        self, settings: WebSettings, place: Place, types: frozenset[str], resolver: Resolver | None
    ) -> None:
        self._settings = settings
        self._place = place
        self._types = types
        self._resolver = resolver

    async def fetch(self, url: str, mark: Mark | None = None) -> Fetched:
        """One answer within the time of one reading. Raises a kind of SourceDown."""
        async with self.client() as client:
            return await self.page(client, url, self._settings.timeout, mark)

    def client(self) -> EgressClient:
        """A client under this source's rules. Raises SourceRefused."""
        try:
            return EgressClient(
                self._settings.egress, self._resolver, ca_file=self._settings.ca_file
            )
        except OSError as error:
            raise SourceRefused(f"ca_file: {self._settings.ca_file}: {error.strerror}") from error

    async def page(
        self, client: EgressClient, url: str, wait: timedelta, mark: Mark | None = None
    ) -> Fetched:
        """One answer within `wait`. Raises a kind of SourceDown, never anything else."""
        try:
            return await client.fetch(
                Wanted(
                    url=url,
                    types=self._types,
                    max_bytes=self._settings.max_bytes,
                    timeout=wait,
                    headers=self._headers(url),
                    etag=mark.etag if mark else "",
                    modified=mark.modified if mark else "",
                )
            )
        except EgressRefused as refusal:
            name = type(refusal).__name__
            raise SourceRefused(f"{name}: {refusal.message}", remedy=refusal.fix) from refusal

    def _headers(self, url: str) -> dict[str, str]:
        """The token, to the source's own place: what an answer calls its next page may be any."""
        name = self._settings.token_env
        if not name or not same_place(self._settings.url, url):
            return {}
        token = (self._place.secret(name) or "").strip()
        value = self._settings.token_prefix + token
        if not token or not (value.isascii() and value.isprintable()):
            raise SecretMissing(f"{name} is empty, not set, or holds what no header can")
        return {self._settings.token_header: value}


def origin_for(settings: WebSettings, got: Fetched) -> str:
    """Who stands behind an answer: an own service is known by name, others by their domain.

    Never by what an entry links to: anybody can link to a good name.
    """
    return origin_of(got.url) if settings.external else settings.name


class Deadline:
    """The time that is left of one reading of several pages."""

    def __init__(self, whole: timedelta) -> None:
        self._clock = asyncio.get_running_loop()
        self._end = self._clock.time() + whole.total_seconds()
        self._whole = whole

    def left(self) -> timedelta:
        """What is left. Raises TooSlow when nothing is."""
        left = self._end - self._clock.time()
        if left <= 0:
            raise TooSlow(f"all pages together took longer than {self._whole.total_seconds():g} s")
        return timedelta(seconds=left)


def tell(
    gathering: Gathering, cursor: str, before: Mark, after: Mark, entries: Sequence[Entry]
) -> list[Reading]:
    """The readings that tell what is new among `entries`, and how far it was read then.

    cursor: the cursor that the reading began at. after: the server's marks for the next one.
    """
    known = set(before.seen)
    keys = []
    complete = True
    for entry in entries:
        key = key_of(entry.external_id)
        if key not in known:
            if gathering.full:
                complete = False
                break
            if not gathering.take(entry.where, entry.line, entry.external_id):
                continue  # it was not told, so it is not known: mended, it is told
            known.add(key)
        keys.append(key)
    if not complete:  # the rest is still there next time, whatever the server's marks say
        after = after.without_marks()
    cursors, refused = (cursor, after.with_seen(keys).as_cursor()), gathering.refusals.all()
    told_before = not set(before.seen).isdisjoint(keys)
    return list(in_readings(gathering.signals, cursors, refused, known=told_before))
