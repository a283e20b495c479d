"""Whether a line that was cited still stands at main. Implements `ports.hands.Citations`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime

from swarm.adapters.local.git.clone import PrivateClone
from swarm.adapters.local.git.forge import LocalForge, answer
from swarm.core.decision import ReadCitation
from swarm.core.evidence import CitationRead, Excerpt
from swarm.core.ids import evidence_id
from swarm.core.policy import excerpts
from swarm.ports.reply import Done, No, Reply

LARGEST = 8 * 1024 * 1024
_GONE = (0, 128)


class CitedFiles:
    """Reads cited lines in the private clones of a forge."""

    def __init__(
        self, forge: LocalForge, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._forge, self._now = forge, now

    async def read(self, order: ReadCitation) -> Reply:
        """The cited line as it was at its commit, looked for in the file at main's tip."""
        return await answer(self._read(order))

    async def _read(self, order: ReadCitation) -> Reply:
        place = excerpts.file_place(order.cited.citation)
        if place is None:
            detail = f"{order.cited.citation[:200]!r} is no path:line@commit"
            return No(reason="CitationUnreadable", detail=detail)
        path, line, commit = place
        clone = self._forge.clone(order.repo)
        tip = await clone.follow()
        now = await _lines(clone, tip, path)
        if now is None:
            return self._said(order, gone=True, detail=f"{path} is not at {tip[:12]}")
        at = line if commit in {"", tip} else 0  # the commit is this one, or was never said
        said = now if at else await _lines(clone, commit, path) if commit else now
        if line and (said is None or line > len(said)):
            detail = f"line {line} of {path} cannot be read at {commit or tip:.12}"
            return self._said(order, where=f"{path}@{tip}", detail=detail)
        if not line:
            return self._said(order, claims=True, where=f"{path}@{tip}", text="\n".join(now))
        wanted = said[line - 1].strip() if said else ""
        stands = [number for number, text in enumerate(now, 1) if text.strip() == wanted]
        if not stands:
            detail = f"line {line} of {path} reads otherwise since {commit[:12]}"
            return self._said(order, where=f"{path}@{tip}", text="\n".join(now), detail=detail)
        nearest = min(stands, key=lambda number: abs(number - line))
        start = sum(len(text) + 1 for text in now[: nearest - 1])
        digest = hashlib.sha256(wanted.encode("utf-8", "surrogateescape")).hexdigest()
        piece = Excerpt(start=start, end=start + len(now[nearest - 1]), sha256=digest)
        where = f"{path}:{nearest}@{tip}"
        return self._said(order, claims=True, where=where, text="\n".join(now), excerpts=(piece,))

    def _said(
        self,
        order: ReadCitation,
        *,
        gone: bool = False,
        claims: bool = False,
        where: str = "",
        text: str = "",
        excerpts: tuple[Excerpt, ...] = (),
        detail: str = "",
    ) -> Reply:
        digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest() if text else ""
        return Done(
            fact=CitationRead(
                id=evidence_id(order.key),
                at=self._now(),
                source="git",
                citation=order.cited.citation,
                origin=order.cited.origin,
                gone=gone,
                claims=claims,
                where=where,
                media_type="text/plain",
                sha256=digest,
                text_sha256=digest,
                excerpts=excerpts,
                tier="own",
                detail=detail,
            )
        )


async def _lines(clone: PrivateClone, commit: str, path: str) -> list[str] | None:
    """The lines of a file at a commit; None when there is no such file, or no such commit."""
    said = await clone.git.run("cat-file", "blob", f"{commit}:{path}", ok=_GONE, limit=LARGEST)
    if said.code:
        return None
    return said.out.decode("utf-8", "surrogateescape").splitlines()
