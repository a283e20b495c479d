"""A source that reads an RSS or Atom feed; each new entry is a signal from outside."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

from swarm.adapters.feeds.client import Fetched
from swarm.adapters.feeds.errors import Unparsable
from swarm.adapters.feeds.feed_text import readable
from swarm.adapters.feeds.mark import from_cursor
from swarm.adapters.feeds.network import Resolver
from swarm.adapters.feeds.origin import link
from swarm.adapters.feeds.settings import FeedSettings
from swarm.adapters.feeds.web import Entry, Web, origin_for, settings_hash, tell
from swarm.core.policy.cleaning import Form
from swarm.ports.gathering import Gathering, own_id, read_line
from swarm.ports.signal_line import Bearing
from swarm.ports.source_settings import Place
from swarm.ports.sources import Reading

TYPES = frozenset(
    {"application/rss+xml", "application/atom+xml", "application/rdf+xml", "application/xml"}
    | {"text/xml"}
)
PARSE_TIME = timedelta(seconds=60)
PER_BYTE, SPARE = 8, 1 << 20  #: what a parser may print: one byte becomes six when escaped
_PROGRAM = ("-P", "-m", "swarm.adapters.feeds.feed_parser")


class FeedSource:
    """Implements `ports.sources.Source` for `kind = "feed"`."""

    def __init__(
        self, settings: FeedSettings, place: Place, resolver: Resolver | None = None
    ) -> None:
        self.name = settings.name
        self._settings = settings
        self._place = place
        self._web = Web(settings, place, TYPES | frozenset(settings.types), resolver)
        self._of = settings_hash(settings)

    async def read(self, cursor: str) -> AsyncIterator[Reading]:
        """The entries that were not there at the last reading. Raises a kind of SourceDown."""
        before = from_cursor(cursor, self._of)
        got = await self._web.fetch(self._settings.url, before)
        if got.unchanged or got.sha256 == before.sha256:
            return  # a new etag for the same bytes is not worth a write
        bearing = Bearing(
            origin=origin_for(self._settings, got), form=Form.MARKUP, read_at=self._place.now()
        )
        gathering = Gathering(self._settings, self._place, bearing)
        found = await _parsed(got)
        entries = await asyncio.to_thread(lambda: list(_entries(found, got.url, gathering)))
        after = replace(before, etag=got.etag, modified=got.modified, sha256=got.sha256)
        for reading in await asyncio.to_thread(tell, gathering, cursor, before, after, entries):
            yield reading


def _entries(found: list[dict[str, Any]], base: str, gathering: Gathering) -> Iterator[Entry]:
    for number, entry in enumerate(found, start=1):
        where = f"entry {number}"
        cited = link(base, entry["link"]) if entry["link"] else ""
        title = entry["title"] or entry["body"][:300]
        line = read_line(
            where,
            {
                "title": title,
                "body": entry["body"],
                "citation": cited,
                "author": entry["author"],
                "observed_at": entry["at"],
            },
            gathering.refusals,
        )
        if line is not None:
            named = entry["id"] or cited or f"{title}\n{entry['body']}"
            yield Entry(where, own_id(named), line)


async def _parsed(got: Fetched) -> list[dict[str, Any]]:
    """The entries of a feed, parsed in a process of its own. Raises Unparsable."""
    text = await asyncio.to_thread(readable, got.content, got.charset)
    said = await _ask(text.encode("utf-8", "replace"))
    try:
        feed = await asyncio.to_thread(json.loads, said)
        entries, version, error = feed["entries"], feed["version"], feed["error"]
    except (ValueError, KeyError, TypeError) as wrong:
        raise Unparsable("the feed could not be parsed within its limits") from wrong
    if not version or (error and not entries):
        raise Unparsable(f"the answer is no feed{f': {error}' if error else ''}")
    return list(entries)


async def _ask(data: bytes) -> bytes:
    """What the parser prints for these bytes; "" when it was stopped."""
    env = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *_PROGRAM,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
        env=env | {"PYTHONDONTWRITEBYTECODE": "1"},
    )
    try:
        async with asyncio.timeout(PARSE_TIME.total_seconds()):
            _, said = await asyncio.gather(
                _write(child.stdin, data), _read(child.stdout, PER_BYTE * len(data) + SPARE)
            )
    except TimeoutError:
        raise Unparsable(f"parsing took longer than {PARSE_TIME.total_seconds():g} s") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        await child.wait()
    return said


async def _write(stream: asyncio.StreamWriter | None, data: bytes) -> None:
    assert stream is not None  # noqa: S101 - the pipe was asked for
    # A parser that was stopped by its limits says so by printing nothing.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        stream.write(data)
        await stream.drain()
    stream.close()


async def _read(stream: asyncio.StreamReader | None, limit: int) -> bytes:
    assert stream is not None  # noqa: S101 - the pipe was asked for
    kept = bytearray()
    while block := await stream.read(1 << 16):
        kept += block
        if len(kept) > limit:
            raise Unparsable(f"the feed unfolds to more than {limit} bytes")
    return bytes(kept)
