"""Cited pages, fetched again under the rules of the source that named them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from swarm.adapters.feeds.client import EgressClient, Fetched, Wanted
from swarm.adapters.feeds.errors import BadStatus, EgressRefused
from swarm.adapters.feeds.feed_text import decoded
from swarm.adapters.feeds.network import Resolver
from swarm.adapters.feeds.origin import same_place
from swarm.adapters.feeds.settings import WebSettings
from swarm.core.decision import ReadCitation
from swarm.core.evidence import CitationRead
from swarm.core.ids import evidence_id
from swarm.core.policy import excerpts
from swarm.core.policy.cleaning import Flag
from swarm.core.policy.markup import visible_text
from swarm.ports.reply import Done, Later, Reply

TYPES = frozenset(
    {
        "text/html", "application/xhtml+xml", "text/plain", "text/markdown", "text/xml",
        "application/xml", "application/json", "+json", "+xml",
    }
)  # fmt: skip
_MARKUP = ("html", "xml")
_GONE = {404, 410}
_MEND = timedelta(minutes=5)  #: a rule changes when a person changes it


class WebPages:
    """Implements `ports.hands.Citations` for pages.

    settings: sources on the network by name; each says which hosts may be contacted.
    """

    def __init__(
        self,
        settings: Mapping[str, WebSettings],
        now: Callable[[], datetime],
        *,
        secret: Callable[[str], str | None] = os.environ.get,
        resolver: Resolver | None = None,
    ) -> None:
        self._settings, self._now = settings, now
        self._secret, self._resolver = secret, resolver

    async def read(self, order: ReadCitation) -> Reply:
        """What the page says now. Gone is a fact; whatever keeps us from asking is Later."""
        settings = self._settings.get(order.cited.source)
        if settings is None:
            detail = f"no source {order.cited.source!r} is bound that says what may be contacted"
            return _later("SourceNotBound", detail)
        try:
            got = await self._fetch(settings, order.cited.citation)
        except EgressRefused as refusal:
            return _later(type(refusal).__name__, f"{refusal.message}. {refusal.fix}")
        except BadStatus as error:
            if error.status not in _GONE:
                raise
            return Done(fact=self._fact(order, gone=True, detail=error.message))
        return Done(fact=self._judged(order, got))

    async def _fetch(self, settings: WebSettings, url: str) -> Fetched:
        wanted = Wanted(
            url=url,
            types=TYPES,
            max_bytes=settings.max_bytes,
            timeout=settings.timeout,
            headers=self._headers(settings, url),
        )
        async with EgressClient(
            settings.egress, self._resolver, ca_file=settings.ca_file
        ) as client:
            return await client.fetch(wanted)

    def _headers(self, settings: WebSettings, url: str) -> dict[str, str]:
        """The source's token, to the source's own place and nowhere else."""
        if not settings.token_env or not same_place(settings.url, url):
            return {}
        token = (self._secret(settings.token_env) or "").strip()
        value = settings.token_prefix + token
        return {settings.token_header: value} if token and value.isascii() else {}

    def _judged(self, order: ReadCitation, got: Fetched) -> CitationRead:
        source = decoded(got.content, got.charset)
        flags = []
        if any(kind in got.media_type for kind in _MARKUP):
            shown = visible_text(source)
            source = shown.text
            flags = [str(Flag.HIDDEN_TEXT)] if shown.hidden.strip() else []
        text = excerpts.plain(source)
        wanted = excerpts.pieces(order.cited.title, order.cited.body)
        found = excerpts.find(text, wanted)
        return self._fact(
            order,
            claims=excerpts.claims(wanted, found),
            where=got.url,
            redirects=got.redirects,
            media_type=got.media_type,
            sha256=got.sha256,
            text_sha256=hashlib.sha256(text.encode("utf-8", "replace")).hexdigest(),
            excerpts=found,
            flags=tuple(flags),
        )

    def _fact(self, order: ReadCitation, *, gone: bool = False, **said: object) -> CitationRead:
        return CitationRead(
            id=evidence_id(order.key),
            at=self._now(),
            source="web",
            citation=order.cited.citation,
            origin=order.cited.origin,
            gone=gone,
            tier=excerpts.tier(order.cited),
            **said,  # type: ignore[arg-type]
        )


def _later(reason: str, detail: str) -> Later:
    return Later(delay=_MEND, reason=reason, detail=detail, capacity=True)
