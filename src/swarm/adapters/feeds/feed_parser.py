"""The program that parses one feed: text in, entries out, in a process of its own.

Why a process: feedparser takes about 5 us per byte of hostile input, and more for some. In a
thread it would hold up everything else in the controller, and could not be stopped. Here time
and memory have an end that the kernel keeps.
"""

from __future__ import annotations

import calendar
import contextlib
import io
import json
import resource
import sys
from collections.abc import Mapping
from typing import Any

import feedparser

CPU_SECONDS = 30
MEMORY = 1024 * 1024 * 1024
MOST_ENTRIES = 20_000
MOST_TEXT = 131_072  #: characters of one field


def parse(text: str) -> dict[str, Any]:
    """`{"version", "error", "entries"}`; an entry has title, body, link, id, author and at.

    Markup is left as it is: what is hidden in it must be seen to be flagged.
    """
    feed = feedparser.parse(
        io.BytesIO(text.encode("utf-8", "replace")),
        response_headers={"content-type": "application/xml; charset=utf-8"},
        sanitize_html=False,
        resolve_relative_uris=False,
    )
    error = feed.get("bozo_exception")
    return {
        "version": feed.get("version") or "",
        "error": f"{type(error).__name__}: {error}"[:200] if error else "",
        "entries": [_entry(entry) for entry in feed.entries[:MOST_ENTRIES]],
    }


def _entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    contents = [part.get("value", "") for part in entry.get("content") or ()]
    body = max([*contents, entry.get("summary") or ""], key=len)
    said = entry.get("published_parsed") or entry.get("updated_parsed")
    at = None
    if said:
        with contextlib.suppress(ValueError, OverflowError, TypeError):
            at = calendar.timegm(said)
    fields = {"title": entry.get("title"), "body": body, "link": entry.get("link")}
    fields |= {"id": entry.get("id"), "author": entry.get("author")}
    return {name: str(value or "")[:MOST_TEXT] for name, value in fields.items()} | {"at": at}


def main() -> int:
    """Read a feed's text from standard input and print what is in it as JSON."""
    for kind, most in ((resource.RLIMIT_CPU, CPU_SECONDS), (resource.RLIMIT_CORE, 0)):
        resource.setrlimit(kind, (most, most))
    with contextlib.suppress(ValueError, OSError):  # some systems have no such limit
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    text = sys.stdin.buffer.read().decode("utf-8", "replace")
    sys.stdout.write(json.dumps(parse(text)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
