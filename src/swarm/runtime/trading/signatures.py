"""Who signed a statement: Ed25519 over the statement, or an SSH signature, by a listed key.

Source: OpenSSH PROTOCOL.sshsig (armour, blob, what is signed); RFC 8709 (ssh-ed25519).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from collections.abc import Iterator

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from swarm.regime.limits.people import Roster
from swarm.runtime.trading.errors import SignatureUnreadable

NAMESPACE = (
    "swarm"  #: what `ssh-keygen -Y sign -n` is given; a signature for git signs nothing here
)
_CONTEXT = b"swarm-statement/1\n"  #: before what a bare Ed25519 key signs
_BEGIN, _END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
_MAGIC = b"SSHSIG"
_MOST = 16_384
_HASHES = {b"sha256": hashlib.sha256, b"sha512": hashlib.sha512}
_RAW_SIGNATURE = 64


def signed_bytes(statement: bytes) -> bytes:
    """What a bare Ed25519 key signs: the statement with its purpose in front."""
    return _CONTEXT + statement


def signer_of(statement: bytes, signature: str, roster: Roster) -> str | None:
    """The listed person whose key signed this statement; None when nobody's did.

    A person's keys are public key lines as ssh-keygen writes them (`ssh-ed25519 AAAA...`).
    Raises SignatureUnreadable.
    """
    if len(signature) > _MOST:
        raise SignatureUnreadable(f"{len(signature)} characters, at most {_MOST}")
    if signature.lstrip().startswith(_BEGIN):
        signed, blob, only = _ssh(statement, signature)
    else:
        signed, blob, only = signed_bytes(statement), _base64(signature), None
    if len(blob) != _RAW_SIGNATURE:
        raise SignatureUnreadable(f"an Ed25519 signature has 64 bytes, this one {len(blob)}")
    for person in roster.people:
        for line in person.keys:
            key = _key(line)
            if key is None or (only is not None and line.split()[1:2] != [only]):
                continue
            try:
                key.verify(blob, signed)
            except InvalidSignature:
                continue
            return person.id
    return None


def _key(line: str) -> Ed25519PublicKey | None:
    try:
        key = load_ssh_public_key(line.encode())
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, Ed25519PublicKey) else None


def _ssh(statement: bytes, armoured: str) -> tuple[bytes, bytes, str]:
    """(what was signed, the raw signature, the public key in base64) of an SSH signature."""
    body = armoured.strip().removeprefix(_BEGIN).removesuffix(_END)
    blob = _base64("".join(body.split()))
    if not blob.startswith(_MAGIC) or blob[6:10] != b"\0\0\0\1":
        raise SignatureUnreadable("no SSH signature of version 1")
    try:
        public, namespace, reserved, algorithm, signature = _strings(blob[10:])
        kind, raw = _strings(signature)
    except ValueError as error:
        raise SignatureUnreadable("an SSH signature with other fields than five") from error
    if namespace != NAMESPACE.encode():
        raise SignatureUnreadable(f"signed for {namespace[:40]!r}, not for {NAMESPACE!r}")
    if kind != b"ssh-ed25519" or algorithm not in _HASHES:
        raise SignatureUnreadable("only Ed25519 keys with SHA-256 or SHA-512 are verified")
    digest = _HASHES[algorithm](statement).digest()
    parts = (namespace, reserved, algorithm, digest)
    signed = _MAGIC + b"".join(struct.pack(">I", len(part)) + part for part in parts)
    return signed, raw, base64.b64encode(public).decode()


def _strings(blob: bytes) -> Iterator[bytes]:
    """The length-prefixed strings of a blob. Raises ValueError where it is cut."""
    while blob:
        if len(blob) < 4 or len(blob) < 4 + (size := int.from_bytes(blob[:4])):  # noqa: PLR2004
            raise ValueError("cut")
        yield blob[4 : 4 + size]
        blob = blob[4 + size :]


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise SignatureUnreadable("no base64") from error
