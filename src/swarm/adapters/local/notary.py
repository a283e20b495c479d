"""Signs seals with a key in the installation's folder, and writes them down beside it.

The key is made on first use, readable by its owner alone, and never enters the database. What is
published is one append-only file per Swarm: copy it to where an administrator of this machine
cannot reach, and nothing that was sealed can be changed unnoticed.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from swarm.adapters.local.attest.envelope import PublicKey, fingerprint, fits, load_public_key
from swarm.adapters.local.attest.sign import make_pem_key, seal
from swarm.adapters.local.errors import SealKeyUnusable, SealsUnwritable
from swarm.core.ids import SwarmId
from swarm.core.seal import Seal, Signature

KEY = "seal.key"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class LocalNotary:
    """Implements `ports.seals.Notary`.

    others: PEM files with the public keys of other installations on the same database.
    """

    def __init__(self, folder: Path, others: Sequence[Path] = ()) -> None:
        self._folder, self._others = folder, others

    @property
    def fingerprint(self) -> str:
        """Of the public half. Raises SealKeyUnusable."""
        return fingerprint(self._key.public_key())

    def sign(self, data: bytes) -> bytes:
        """64 bytes of Ed25519. Raises SealKeyUnusable."""
        return self._key.sign(data)

    def envelope(self, statement: Mapping[str, Any]) -> bytes:
        """DSSE, as Gate 4 reads it. Raises SealKeyUnusable."""
        _ = self._key  # made, and known to be nobody else's to read
        return seal(statement, [self._folder / KEY])

    def judge(self, key: str, data: bytes, signature: bytes) -> Signature:
        """Whether the key made this signature, if it is ours or one of the named others.

        Raises SealKeyUnusable or TrustFileUnusable.
        """
        public = self._known.get(key)
        if public is None:
            return Signature.UNKNOWN
        return Signature.GOOD if fits(public, signature, data) else Signature.BAD

    def publish(self, seal: Seal) -> None:
        """Append it and have the disk say so; success where it is. Raises SealsUnwritable."""
        line = {"body": seal.body, "key": seal.key, "signature": seal.signature.hex()}
        path = self._file(seal.swarm)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "ab") as file:
                # Another controller of this folder would cut off, or be cut off, in mid-line.
                fcntl.flock(file, fcntl.LOCK_EX)
                known = self.last(SwarmId(seal.swarm))
                if known is not None and known.seq >= seal.seq:
                    return
                file.truncate(_whole(path))  # what a crash cut off was never published
                file.write(json.dumps(line, sort_keys=True).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise SealsUnwritable(f"{path}: {error.strerror}") from error

    def last(self, swarm: SwarmId) -> Seal | None:
        """The newest published seal; reads the end of the file alone. Raises SealsUnwritable."""
        path = self._file(swarm)
        try:
            if not path.exists():
                return None
            with path.open("rb") as file:
                file.seek(max(0, _whole(path) - _LONGEST))
                lines = file.read().split(b"\n")[:-1]
        except OSError as error:
            raise SealsUnwritable(f"{path}: {error.strerror}") from error
        return next((seal for line in reversed(lines) if (seal := _seal(swarm, line))), None)

    def published(self, swarm: SwarmId) -> Mapping[int, Seal]:
        """All published seals by seq; a line that is none of ours is left out.

        The first of a number counts: who can only append to the file takes nothing back in it.
        """
        found: dict[int, Seal] = {}
        for one in self._lines(swarm):
            found.setdefault(one.seq, one)
        return found

    def _lines(self, swarm: SwarmId) -> Iterator[Seal]:
        path = self._file(swarm)
        if not path.exists():
            return
        with path.open("rb") as file:
            for line in file:
                if (seal := _seal(swarm, line)) is not None:
                    yield seal

    def _file(self, swarm: str) -> Path:
        return self._folder / f"{swarm}.jsonl"

    @cached_property
    def _known(self) -> Mapping[str, PublicKey]:
        """By fingerprint. Verifying makes no key of our own where there is none."""
        known = [load_public_key(path) for path in self._others]
        if (self._folder / KEY).exists():
            known.append(self._key.public_key())
        return {fingerprint(key): key for key in known}

    @cached_property
    def _key(self) -> ed25519.Ed25519PrivateKey:
        path = self._folder / KEY
        try:
            if not path.exists():
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                make_pem_key(path)
            if path.stat().st_mode & _OTHERS:
                raise SealKeyUnusable(f"{path}: others on this machine may read it")
            key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        except OSError as error:
            raise SealKeyUnusable(f"{path}: {error.strerror}") from error
        except ValueError as error:
            raise SealKeyUnusable(f"{path}: no PEM private key") from error
        if not isinstance(key, ed25519.Ed25519PrivateKey):
            raise SealKeyUnusable(f"{path}: no Ed25519 key")
        return key


_LONGEST = 64 * 1024  #: far more than a line has; the newest seal lies in the last so many bytes


def _whole(path: Path) -> int:
    """How many bytes the complete lines of a file have."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = max(0, size - _LONGEST)
        file.seek(start)
        return start + file.read().rfind(b"\n") + 1


def _seal(swarm: str, line: bytes) -> Seal | None:
    try:
        said = json.loads(line)
        body = json.loads(said["body"])
        return Seal(
            swarm=swarm,
            seq=int(body["seq"]),
            body=str(said["body"]),
            key=str(said["key"]),
            signature=bytes.fromhex(said["signature"]),
        )
    except (ValueError, KeyError, TypeError):
        return None
