"""How much independent citations are worth together: who counts, who repeats whom, how sure.

Independence: one origin counts once, however often it speaks; an external text that says nearly
the same words as one that counts already is a mirror of it and counts for nothing. Tools of our
own do not copy from each other, so what they say is independent whatever its words.

Confidence is 1 - prod(1 - trust) over what counts. A statement's own idea of how sure it is can
lower its trust, never raise it, and neither can a model's.

Source of the sum: noisy-or, Pearl 1988, "Probabilistic Reasoning in Intelligent Systems", 4.3.2.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property

from swarm.core import likeness
from swarm.core.policy.cleaning import Flag

MIRRORED = 0.80  #: estimated Jaccard of 5-grams; two reports of one event stay below 0.6
MIRROR_FROM = 80  #: characters; shorter texts are alike too easily, they must be equal
MOST_CLAIMS = 64  #: claims weighed; the rest of a flood adds nothing to a need that is that sure
TEXT_MOST = 8_000
#: One statement with something hidden in it is worth at most this: two of them stay below 0.5.
SUSPICIOUS_MOST = 0.25
SUSPICIOUS = frozenset({Flag.HIDDEN_TEXT, Flag.INVISIBLE_UNICODE})
#: From here on a source is one that its owner would act upon alone.
TRUSTED_FROM = 0.8
#: What confidence loses when every source is dark. Two statements of 0.6 each (0.84) still reach
#: the default of 0.75 then, so the loop goes on; what only just reached it waits.
OUTAGE_COST = 0.1


class Counts(StrEnum):
    """Whether a claim counts, and why not."""

    INDEPENDENT = "independent"  #: it is the strongest of its origin and repeats nobody
    SAME_ORIGIN = "same-origin"  #: its origin spoke already
    MIRROR = "mirror"  #: an external text that repeats one that counts
    UNCITED = "uncited"  #: nothing that could be looked up
    SURPLUS = "surplus"  #: there are more claims than are weighed
    FORGOTTEN = "forgotten"  #: its text is gone, so nobody can say whether it repeats another


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What one source says for a need, as far as its weight goes.

    origin:   registrable domain or tool.   citation: what can be looked up; empty: nothing.
    trust:    in [0, 1], after `worth` and what was learned about the source.
    text:     title and body, cleaned; empty when it was forgotten.    at: when it was said.
    """

    origin: str
    citation: str
    external: bool
    trust: float
    text: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One claim in the sum: what it adds, or why it adds nothing; `of` names whom it repeats."""

    origin: str
    trust: float
    counts: Counts
    of: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """What the citations of a need amount to, with every term that led there.

    confidence: in [0, 1].   citations: independent ones.   origins, trusts: theirs, sorted.
    heard:      origins that can be looked up, independent or not.
    anchored:   one of them is of our own or from a trusted tier, as R2 and R3 ask.
    """

    confidence: float
    citations: int
    origins: tuple[str, ...]
    trusts: tuple[float, ...]
    heard: int
    anchored: bool
    terms: tuple[Term, ...]


def worth(trust: float, stated: float | None, flags: Collection[str], *, external: bool) -> float:
    """What a statement is worth before anything was learned, in [0, 1].

    trust:  of its source, from the settings.   stated: its own confidence; None if it has none.
    flags:  of its text. Hidden text caps what comes from outside; our own tools quote it.
    """
    lowered = trust if stated is None else min(trust, stated)
    capped = external and not SUSPICIOUS.isdisjoint(flags)
    return max(0.0, min(lowered, SUSPICIOUS_MOST if capped else 1.0))


def mirrors(one: str, other: str) -> bool:
    """True when two texts say nearly the same words. Cost: about 20 us per 200 characters."""
    texts = _Texts((one, other))
    return texts.mirror(1, (0,)) is not None


def ground(claims: Iterable[Claim]) -> Grounds:
    """What these claims amount to together; their order does not matter.

    The stronger claim counts and the weaker is its mirror, of equals the earlier one: so nobody
    lowers a need's citations by repeating what others say. Cost: O(n * 64) comparisons of 128
    numbers, and 20 us per 200 characters once per claim.
    """
    ordered = sorted(
        claims,
        key=lambda c: (_forgotten(c), -c.trust, c.at, c.origin, c.citation, c.external, c.text),
    )
    texts = _Texts([claim.text for claim in ordered])
    kept: dict[str, Claim] = {}
    heard: list[int] = []
    terms: list[Term] = []
    for index, claim in enumerate(ordered):
        counts, of = Counts.INDEPENDENT, ""
        if not claim.citation:
            counts = Counts.UNCITED
        elif claim.origin in kept:
            counts, of = Counts.SAME_ORIGIN, claim.origin
        elif _forgotten(claim) and heard:
            counts = Counts.FORGOTTEN
        elif claim.external and (said := texts.mirror(index, heard)) is not None:
            counts, of = Counts.MIRROR, ordered[said].origin
        elif len(kept) >= MOST_CLAIMS:
            counts = Counts.SURPLUS
        else:
            kept[claim.origin] = claim
        # All that a counted origin said can be repeated by others; what mirrors said is left out,
        # or a chain of half-copies would tie honest reports together.
        if claim.external and counts in {Counts.INDEPENDENT, Counts.SAME_ORIGIN}:
            heard.append(index)
        terms.append(Term(origin=claim.origin, trust=claim.trust, counts=counts, of=of))
    return Grounds(
        confidence=confidence(kept[origin].trust for origin in sorted(kept)),
        citations=len(kept),
        origins=tuple(sorted(kept)),
        trusts=tuple(kept[origin].trust for origin in sorted(kept)),
        heard=len({claim.origin for claim in ordered if claim.citation}),
        anchored=any(anchors(claim.trust, external=claim.external) for claim in kept.values()),
        terms=tuple(terms),
    )


def confidence(trusts: Iterable[float]) -> float:
    """How sure independent statements of these trusts make us, in [0, 1]."""
    doubt = 1.0
    for trust in trusts:
        doubt *= 1.0 - min(1.0, max(0.0, trust))
    return 1.0 - doubt


def anchors(trust: float, *, external: bool) -> bool:
    """Whether a claim is of our own or from a trusted tier, as R2 and R3 ask for one (T2)."""
    return not external or trust >= TRUSTED_FROM


def degraded(confidence: float, dark: int, sources: int) -> float:
    """A confidence while `dark` of so many sources do not answer (FAIL-4).

    What a dark source would say against a need is not known; that it says nothing is no support.
    """
    return (
        confidence * (1.0 - OUTAGE_COST * min(dark, sources) / sources) if sources else confidence
    )


def explain(grounds: Grounds, wanted: int) -> str:
    """One sentence: how many citations count, and what the others were."""
    said = f"{grounds.citations} of {wanted} independent citations"
    others = [
        f"{term.origin} is a mirror of {term.of}"
        if term.counts is Counts.MIRROR
        else f"{term.origin} is {term.counts}"
        for term in grounds.terms
        if term.counts in {Counts.MIRROR, Counts.UNCITED, Counts.FORGOTTEN}
    ]
    return f"{said} ({'; '.join(others[:5])})" if others else said


def _forgotten(claim: Claim) -> bool:
    return claim.external and not claim.text


class _Texts:
    """Some texts, prepared once for being compared with each other, and only if they are."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._plain = [" ".join(text[:TEXT_MOST].casefold().split()) for text in texts]
        self._long = [text if len(text) >= MIRROR_FROM else "" for text in self._plain]

    @cached_property
    def _signatures(self) -> likeness.Signatures:
        return likeness.signatures(self._long)

    def mirror(self, index: int, others: Sequence[int]) -> int | None:
        """The first of `others` whose words text `index` repeats; None when it repeats none."""
        for other in others:
            if self._plain[other] == self._plain[index]:
                return other
        rows = [other for other in others if self._long[other]] if self._long[index] else []
        if not rows:
            return None
        alike = likeness.similarity(self._signatures[index], self._signatures[rows])
        best = int(alike.argmax())
        return rows[best] if alike[best] >= MIRRORED else None
