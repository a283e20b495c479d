"""Seals: what an administrator of the database cannot forge afterwards.

A hash chain shows an edit only to whoever knows its newest hash. So every minute in which something
happened, the newest hash of every chain that grew goes into a seal: a Merkle root over them, linked
to the seal before, signed with a key that is not in the database, and written down outside of it.
Whoever then edits, cuts, removes or rolls back has to break a signature or the outside copy.

Source: Crosby and Wallach 2009, "Efficient Data Structures for Tamper-Evident Logging"; the tree's
hashing is that of RFC 6962, section 2.1 (leaves and nodes are told apart by their first byte).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import NamedTuple

from swarm.core.trail import Fault, FaultKind, canonical

PREFIX = b"swarm seal v1\n"  #: signed in front of a body, so that no other signature fits it
_LEAF, _NODE = b"\x00", b"\x01"


class Signature(Enum):
    """What a signature is worth here."""

    GOOD = auto()  #: a key that is known here made it
    BAD = auto()  #: the key is known here and did not make it
    UNKNOWN = auto()  #: nobody here knows the key, so it can be neither


#: What `signature` over the bytes is worth under the key of that fingerprint.
Judge = Callable[[str, bytes, bytes], Signature]


class Leaf(NamedTuple):
    """The newest event of one chain when it was sealed. hash: 32 bytes."""

    chain: str
    seq: int
    hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """One seal as it is kept in the database and outside.

    body:   canonical JSON of swarm, seq, at, upto, root, heads, prev: what the signature is over.
    leaves: what the root is over; kept in the database alone.
    key:    fingerprint of the key that signed.
    """

    swarm: str
    seq: int
    body: str
    key: str
    signature: bytes
    leaves: tuple[Leaf, ...] = ()

    @property
    def hash(self) -> bytes:
        """What the next seal links to, 32 bytes."""
        return hashlib.sha256(self.body.encode()).digest()

    @property
    def at(self) -> str:
        """When it was made, as ISO 8601; empty when the body is no longer one of ours."""
        return str(_fields(self.body).get("at", ""))


def body_of(swarm: str, last: Seal | None, at: datetime, upto: str, leaves: Sequence[Leaf]) -> str:
    """The text that is signed.

    last: the seal before it; None for the first.
    upto: the store's mark for where the next one begins; under the signature, so that nobody can
          move it past something that was not sealed.
    """
    return canonical(
        {
            "swarm": swarm,
            "seq": last.seq + 1 if last else 1,
            "at": at.isoformat(),
            "upto": upto,
            "root": root(leaves).hex(),
            "heads": len(leaves),
            "prev": last.hash.hex() if last else "",
        }
    )


def to_sign(body: str) -> bytes:
    """The exact bytes under the signature."""
    return PREFIX + body.encode()


def root(leaves: Sequence[Leaf]) -> bytes:
    """The Merkle root, 32 bytes; of no leaves, the hash of nothing. Cost: 2n SHA-256."""
    level = [hashlib.sha256(_LEAF + _text(leaf)).digest() for leaf in leaves]
    if not level:
        return hashlib.sha256(b"").digest()
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        joined = [hashlib.sha256(_NODE + left + right).digest() for left, right in pairs]
        # An odd one out goes up as it is: doubling it would let two trees have one root.
        level = [*joined, level[-1]] if len(level) % 2 else joined
    return level[0]


def verify(
    swarm: str, kept: Iterable[Seal], published: Mapping[int, Seal], judge: Judge
) -> tuple[int, tuple[Fault, ...]]:
    """How many seals there are, and what does not hold: order, link, signature, outside copy.

    kept: those of the database by seq.    published: those outside, by seq.
    The first fault of the seals' own chain ends the walk along it: behind it, everything differs.
    A key that nobody knows does not: the links go on, and each such key is named once, at the end.
    """
    chain, prev, count = f"seals of {swarm}", b"", 0
    strange: dict[str, list[int]] = {}
    wrong: tuple[FaultKind, str] | None = None
    for seal in kept:
        count += 1
        worth = judge(seal.key, to_sign(seal.body), seal.signature)
        wrong = _wrong(swarm, seal, count, prev, worth) or _other(seal, published)
        if wrong is not None:
            break
        if worth is Signature.UNKNOWN:
            strange.setdefault(seal.key, []).append(count)
        prev = seal.hash
    seq, ahead = count, max(published, default=0)
    if wrong is None and ahead > count:
        seq = count + 1
        detail = f"{ahead} seals were published, the database ends at {count}: it was rolled back"
        wrong = FaultKind.ROLLED_BACK, detail
    found = [Fault(chain=chain, seq=seq, kind=wrong[0], detail=wrong[1])] if wrong else []
    return count, (*found, *(_unknown(chain, key, places) for key, places in strange.items()))


def rewritten(sealed: Mapping[int, Leaf], now: Mapping[int, bytes], number: int) -> Fault | None:
    """The first sealed place of one chain whose event is gone or another one.

    sealed: leaves of one chain by seq.    now: hashes at those places.    number: seals looked at.
    """
    good = 0
    for seq in sorted(sealed):
        leaf = sealed[seq]
        if now.get(seq) == leaf.hash:
            good = seq
            continue
        gone = seq not in now
        kind = FaultKind.CUT if gone else FaultKind.REWRITTEN
        what = "is gone" if gone else "is not what was sealed"
        detail = f"event {seq} {what}; {good} is the last one that {number} seals vouch for"
        return Fault(chain=leaf.chain, seq=good + 1, kind=kind, detail=detail)
    return None


def _wrong(
    swarm: str, seal: Seal, expected: int, prev: bytes, worth: Signature
) -> tuple[FaultKind, str] | None:
    if seal.seq != expected:
        return FaultKind.REMOVED, f"seal {expected} is missing, {seal.seq} stands there"
    said = _fields(seal.body)
    if (said.get("swarm"), said.get("seq")) != (swarm, seal.seq):
        return FaultKind.MOVED, f"seal {expected} was made for another place"
    if said.get("prev") != prev.hex():
        return FaultKind.EDITED, f"seal {expected} does not follow the one before it"
    if said.get("root") != root(seal.leaves).hex():
        return FaultKind.EDITED, f"seal {expected} is over other heads than are kept with it"
    if worth is Signature.BAD:
        return FaultKind.UNSIGNED, f"seal {expected} bears no signature of {seal.key}"
    return None


def _other(seal: Seal, published: Mapping[int, Seal]) -> tuple[FaultKind, str] | None:
    outside = published.get(seal.seq)
    if outside is None or outside.body == seal.body:
        return None
    return FaultKind.REWRITTEN, f"seal {seal.seq} is another one than was published"


def _unknown(chain: str, key: str, places: Sequence[int]) -> Fault:
    detail = f"{len(places)} seals, the last at {places[-1]}, name {key or 'no key'}, unknown here"
    return Fault(chain=chain, seq=places[0], kind=FaultKind.UNKNOWN_KEY, detail=detail)


def _text(leaf: Leaf) -> bytes:
    return canonical([leaf.chain, leaf.seq, leaf.hash.hex()]).encode()


def _fields(body: str) -> Mapping[str, object]:
    try:
        said = json.loads(body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
