"""A source that reads a list of items in JSON, page by page."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from swarm.adapters.feeds.client import EgressClient, Fetched
from swarm.adapters.feeds.errors import BadShape, Unparsable
from swarm.adapters.feeds.mark import MOST_SEEN, Mark, from_cursor, key_of
from swarm.adapters.feeds.network import Resolver
from swarm.adapters.feeds.origin import link
from swarm.adapters.feeds.settings import FieldPointers, JsonSettings
from swarm.adapters.feeds.web import Deadline, Entry, Web, origin_for, settings_hash, tell
from swarm.ports.gathering import Gathering, own_id, read_line
from swarm.ports.signal_line import Bearing
from swarm.ports.source_settings import Place
from swarm.ports.sources import Reading

TYPES = frozenset({"application/json", "text/json", "+json"})
_MISSING = object()


def at_pointer(value: Any, pointer: str) -> Any:
    """What a JSON pointer (RFC 6901) points at; None when there is nothing.

    Array indices are plain decimal numbers; `-` and anything else point at nothing.
    """
    found = _walk(value, pointer)
    return None if found is _MISSING else found


def _walk(value: Any, pointer: str) -> Any:
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = value.get(name, _MISSING)
        elif isinstance(value, list) and name.isdecimal() and len(name) < 10:  # noqa: PLR2004
            value = value[int(name)] if int(name) < len(value) else _MISSING
        else:
            return _MISSING
    return value


def parsed(got: Fetched) -> Any:
    """The JSON value of an answer. Raises Unparsable."""
    try:
        return json.loads(got.content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise Unparsable(f"the answer is not UTF-8: byte {error.start}") from error
    except RecursionError as error:
        raise Unparsable("the answer is too deeply nested") from error
    except ValueError as error:
        raise Unparsable(f"the answer is no JSON: {str(error)[:200]}") from error


class JsonSource:
    """Implements `ports.sources.Source` for `kind = "json"`."""

    def __init__(
        self, settings: JsonSettings, place: Place, resolver: Resolver | None = None
    ) -> None:
        self.name = settings.name
        self._settings = settings
        self._place = place
        self._web = Web(settings, place, TYPES, resolver)
        self._of = settings_hash(settings)

    async def read(self, cursor: str) -> AsyncIterator[Reading]:
        """The items that were not there at the last reading. Raises a kind of SourceDown."""
        before = from_cursor(cursor, self._of)
        deadline = Deadline(self._settings.timeout)
        async with self._web.client() as client:
            first = await self._web.page(client, self._settings.url, deadline.left(), before)
            if first.unchanged or first.sha256 == before.sha256:
                return
            bearing = Bearing(
                origin=origin_for(self._settings, first),
                form=self._settings.form,
                read_at=self._place.now(),
            )
            gathering = Gathering(self._settings, self._place, bearing)
            entries, told = list[Entry](), set(before.seen)
            async for number, page, cut in self._pages(client, first, deadline):
                found = await asyncio.to_thread(self._entries, number, page, first.url, gathering)
                entries += found
                if cut and any(key_of(one.external_id) not in told for one in found):
                    # Newest first, what was told before ends the pages that matter.
                    gathering.refusals.add(f"page {number}: more follow than max_pages reads")
        after = _after(before, first, paged=bool(self._settings.next))
        for reading in await asyncio.to_thread(tell, gathering, cursor, before, after, entries):
            yield reading

    async def _pages(
        self, client: EgressClient, first: Fetched, deadline: Deadline
    ) -> AsyncIterator[tuple[int, list[Any], bool]]:
        """Number and items of each page, and whether another one follows that is not read."""
        got, value = first, await asyncio.to_thread(parsed, first)
        visited = {first.url}
        for number in range(1, self._settings.max_pages + 1):
            target = at_pointer(value, self._settings.next) if self._settings.next else None
            url = link(got.url, target) if isinstance(target, str) else ""
            ends = not url or url in visited  # the last page often points at itself
            cut = number == self._settings.max_pages and not ends
            yield number, self._items(value), cut
            if ends or cut:
                return
            visited.add(url)
            got = await self._web.page(client, url, deadline.left())
            value = await asyncio.to_thread(parsed, got)

    def _items(self, value: Any) -> list[Any]:
        items = at_pointer(value, self._settings.items)
        if not isinstance(items, list):
            where = self._settings.items or "the top"
            # An API that changed must not look like one that has nothing to say.
            raise BadShape(f"there is no list at {where!r} in the answer")
        return items

    def _entries(self, page: int, items: list[Any], base: str, gathering: Gathering) -> list[Entry]:
        fields = self._settings.fields
        found = []
        # More cannot be remembered, and a small answer can unpack to millions.
        if (left := len(items) - MOST_SEEN) > 0:
            gathering.refusals.add(f"page {page}: {left} more items than are read")
            items = items[:MOST_SEEN]
        for number, item in enumerate(items, start=1):
            where = f"page {page}, item {number}" if self._settings.next else f"item {number}"
            statement = _statement(item, fields, base)
            line = read_line(where, statement, gathering.refusals)
            if line is not None:
                found.append(Entry(where, _external_id(item, fields, statement), line))
        return found


def _after(before: Mark, first: Fetched, *, paged: bool) -> Mark:
    """The server's marks are those of the first page; later pages may change without it."""
    if paged:
        return before.without_marks()
    return replace(before, etag=first.etag, modified=first.modified, sha256=first.sha256)


def _statement(item: Any, fields: FieldPointers, base: str) -> dict[str, Any]:
    cited = _text(item, fields.link)
    return {
        "title": _text(item, fields.title),
        "body": _text(item, fields.body),
        "citation": link(base, cited) if cited else "",
        "author": _text(item, fields.author),
        "observed_at": _when(item, fields.observed_at),
        "rule": _text(item, fields.rule)[:200],
    }


def _text(item: Any, pointer: str) -> str:
    value = at_pointer(item, pointer) if pointer else None
    if value is None or isinstance(value, dict | list):
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _when(item: Any, pointer: str) -> Any:
    value = at_pointer(item, pointer) if pointer else None
    return value if isinstance(value, str | int | float) and not isinstance(value, bool) else None


def _external_id(item: Any, fields: FieldPointers, statement: dict[str, Any]) -> str:
    named = _text(item, fields.id) or statement["citation"]
    named = named or f"{statement['title']}\n{statement['body']}"
    version = _text(item, fields.updated)
    return own_id(f"{named}#{version}" if version else named)
