"""DSSE envelopes: what was signed is looked at only after a trusted key has signed it.

Source: Dead Simple Signing Envelope, protocol and envelope v1.0.2 (secure-systems-lab/dsse).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from swarm.adapters.local.attest.errors import TrustFileUnusable
from swarm.adapters.local.attest.reasons import Fault, Faulty

PAYLOAD_TYPE = "application/vnd.in-toto+json"

#: Real envelopes are a few kilobytes; base64 makes three bytes four.
ENVELOPE_BYTES = 1024 * 1024
SIGNATURES = 16

PublicKey = ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey
_CURVES = {"secp256r1": hashes.SHA256, "secp384r1": hashes.SHA384}
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]*={0,2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trusted:
    """The bytes of a payload, and the fingerprints of the trusted keys that signed it."""

    payload: bytes
    signers: tuple[str, ...]


def pae(payload_type: str, payload: bytes) -> bytes:
    """Pre-authentication encoding: what is really signed, so that the type cannot be exchanged."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def load_public_key(path: Path) -> PublicKey:
    """Read a PEM public key of a kind that is verified here. Raises TrustFileUnusable."""
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise TrustFileUnusable(f"{path}: {error.strerror}") from error
    except Exception as error:  # the library raises several kinds, each means the same here
        raise TrustFileUnusable(f"{path}: no PEM public key") from error
    if isinstance(key, ed25519.Ed25519PublicKey):
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        return key
    raise TrustFileUnusable(f"{path}: only Ed25519 and ECDSA on P-256 or P-384 are verified")


def fingerprint(key: PublicKey) -> str:
    """SHA-256 of the key's DER form; tells keys apart whatever their files are called."""
    der = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    digest = hashes.Hash(hashes.SHA256())
    digest.update(der)
    return f"SHA256:{digest.finalize().hex()}"


def open_envelope(
    raw: bytes, keys: Sequence[PublicKey], revoked: Sequence[PublicKey], signers: int
) -> Trusted:
    """The payload, when at least `signers` different trusted keys signed it. Raises Faulty.

    The key ids in the envelope are hints of whoever wrote it; they are never looked at.
    """
    envelope = read_json(raw, Fault.ENVELOPE_MALFORMED)
    payload_type, signatures = envelope.get("payloadType"), envelope.get("signatures")
    if not isinstance(envelope.get("payload"), str) or not isinstance(signatures, list):
        raise Faulty(Fault.ENVELOPE_MALFORMED, "needs payload and signatures")
    if payload_type != PAYLOAD_TYPE:
        raise Faulty(Fault.PAYLOAD_TYPE_UNKNOWN, f"{str(payload_type)[:100]!r}")
    if not signatures:
        raise Faulty(Fault.NO_SIGNATURES, "the envelope is not signed")
    if len(signatures) > SIGNATURES:
        raise Faulty(Fault.TOO_MANY_SIGNATURES, f"{len(signatures)}, at most {SIGNATURES}")
    payload = _decode(envelope["payload"])
    signed = pae(PAYLOAD_TYPE, payload)
    blobs = [_signature(entry) for entry in signatures]
    withdrawn = {fingerprint(key) for key in revoked}
    good = {fingerprint(key) for key in keys if any(fits(key, blob, signed) for blob in blobs)}
    trusted = good - withdrawn
    if not trusted:
        if good or any(fits(key, blob, signed) for key in revoked for blob in blobs):
            raise Faulty(Fault.KEY_REVOKED, "the only fitting key was revoked")
        raise Faulty(Fault.ENVELOPE_NOT_TRUSTED, "no signature by a trusted key fits")
    if len(trusted) < signers:
        raise Faulty(Fault.TOO_FEW_SIGNERS, f"{len(trusted)} trusted keys signed, {signers} must")
    return Trusted(payload=payload, signers=tuple(sorted(trusted)))


def read_json(raw: bytes, fault: Fault) -> dict[str, Any]:
    """One JSON object without double keys, NaN or anything behind it. Raises Faulty."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise Faulty(Fault.DUPLICATE_KEY, "a key occurs twice in one object")
        return found

    def no_constant(name: str) -> None:
        raise Faulty(fault, f"{name} is no JSON number")

    if len(raw) > ENVELOPE_BYTES:
        raise Faulty(Fault.ENVELOPE_TOO_LARGE, f"{len(raw)} bytes, at most {ENVELOPE_BYTES}")
    try:
        value = json.loads(raw.decode(), object_pairs_hook=once, parse_constant=no_constant)
    except (ValueError, RecursionError) as error:
        raise Faulty(fault, "no JSON") from error
    if not isinstance(value, dict):
        raise Faulty(fault, "no JSON object")
    return value


def _signature(entry: object) -> bytes:
    if not isinstance(entry, dict) or not isinstance(entry.get("sig"), str):
        raise Faulty(Fault.ENVELOPE_MALFORMED, "a signature has no sig")
    return _decode(entry["sig"])


def _decode(text: str) -> bytes:
    # The protocol allows both alphabets of base64, but not a mixture, and no other character.
    mixed = set(text) & set("+/") and set(text) & set("-_")
    if mixed or not _BASE64.fullmatch(text):
        raise Faulty(Fault.ENVELOPE_MALFORMED, "not base64")
    try:
        return base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except binascii.Error as error:
        raise Faulty(Fault.ENVELOPE_MALFORMED, "not base64") from error


def fits(key: PublicKey, signature: bytes, signed: bytes) -> bool:
    """Whether the key made this signature over these bytes."""
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, signed)
        else:
            key.verify(signature, signed, ec.ECDSA(_CURVES[key.curve.name]()))
    except InvalidSignature:
        return False
    return True
