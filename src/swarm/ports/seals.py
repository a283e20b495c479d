"""Who signs seals and keeps them outside of the database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from swarm.core.ids import SwarmId
from swarm.core.seal import Seal, Signature


class Notary(Protocol):
    """The installation's key, and the place where seals are published. Needed by: seal."""

    @property
    def fingerprint(self) -> str:
        """Tells its key from others: `SHA256:` and the digest of the public half."""

    def sign(self, data: bytes) -> bytes:
        """The signature over exactly these bytes."""

    def envelope(self, statement: Mapping[str, Any]) -> bytes:
        """A DSSE envelope around an in-toto statement, signed with the same key."""

    def judge(self, key: str, data: bytes, signature: bytes) -> Signature:
        """What the signature over the data is worth under the key of that fingerprint."""

    def publish(self, seal: Seal) -> None:
        """Write it down durably, once; the same seal again is success."""

    def last(self, swarm: SwarmId) -> Seal | None:
        """The newest published seal; None before the first."""

    def published(self, swarm: SwarmId) -> Mapping[int, Seal]:
        """All published seals by seq, without their leaves."""
