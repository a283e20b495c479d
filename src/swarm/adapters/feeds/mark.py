"""How far a source on the network was read: what the server calls its state, and what we saw."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace

MOST_SEEN = 20_000  #: entries remembered; older ones have left every feed long ago
_KEY = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """The cursor of a source on the network.

    of:     hash of the settings that it belongs to; other settings begin afresh.
    etag, modified: the server's own marks, for a conditional request.
    sha256: of the last answer; the same bytes need not be parsed again.
    seen:   keys of the entries that were told, newest last.
    """

    of: str
    etag: str = ""
    modified: str = ""
    sha256: str = ""
    seen: tuple[str, ...] = ()

    def as_cursor(self) -> str:
        """The cursor to store."""
        body = {"v": 1, "of": self.of, "etag": self.etag, "modified": self.modified}
        body |= {"sha256": self.sha256, "seen": "".join(self.seen)}
        return json.dumps(body, separators=(",", ":"))

    def with_seen(self, keys: Iterable[str]) -> Mark:
        """The same with these keys as the newest; the oldest are forgotten."""
        kept = dict.fromkeys(self.seen)
        keys = tuple(keys)
        if kept.keys() >= set(keys):
            return self  # the same entries in another order are no reason to write
        for key in keys:
            kept.pop(key, None)
            kept[key] = None
        return replace(self, seen=tuple(kept)[-MOST_SEEN:])

    def without_marks(self) -> Mark:
        """The same, but the next reading fetches and parses again."""
        return replace(self, etag="", modified="", sha256="")


def from_cursor(cursor: str, of: str) -> Mark:
    """What a cursor says; nothing, if there is none or it belongs to other settings."""
    try:
        data = json.loads(cursor) if cursor else {}
        if data.get("v") != 1 or data["of"] != of:
            return Mark(of=of)
        text = str(data["seen"])
        seen = tuple(text[at : at + _KEY] for at in range(0, len(text), _KEY))
        etag, modified = str(data["etag"]), str(data["modified"])
        return Mark(of=of, etag=etag, modified=modified, sha256=str(data["sha256"]), seen=seen)
    except (ValueError, TypeError, KeyError, AttributeError):
        return Mark(of=of)


def key_of(external_id: str) -> str:
    """The short form in which an entry's id is remembered."""
    return hashlib.sha256(external_id.encode("utf-8", "replace")).hexdigest()[:_KEY]
