"""Signing a statement with a person's key file, as `ssh-keygen -Y sign -n swarm` would."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_ssh_private_key,
)

from swarm.regime.limits.people import Act, Roster
from swarm.runtime.trading.errors import KeyUnreadable, SignerUnlisted
from swarm.runtime.trading.signatures import signed_bytes

_MOST = 64 * 1024


def load(path: Path, passphrase: Callable[[], str]) -> Ed25519PrivateKey:
    """The private key of a file. passphrase: asked only where the key has one.

    Raises KeyUnreadable.
    """
    try:
        data = path.read_bytes()[: _MOST + 1]
    except OSError as error:
        raise KeyUnreadable(f"{path}: {error.strerror}") from error
    try:
        key = _loaded(data, passphrase)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyUnreadable(f"{path}: {error}"[:300]) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyUnreadable(f"{path} is a {type(key).__name__}, not an Ed25519 key")
    return key


def _loaded(data: bytes, passphrase: Callable[[], str]) -> object:
    try:
        return load_ssh_private_key(data, None)
    except TypeError:  # what the library says of a key that has a passphrase
        return load_ssh_private_key(data, passphrase().encode())


def person(key: Ed25519PrivateKey, roster: Roster) -> str:
    """Whom a key speaks for. Raises SignerUnlisted."""
    line = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    held = roster.holder(line)
    if held is None:
        raise SignerUnlisted(f"nobody is listed with the key {line[:40]}...")
    return held.id


def allowed(key: Ed25519PrivateKey, roster: Roster, act: Act) -> str:
    """The same, of somebody who may do this. Raises SignerUnlisted."""
    name = person(key, roster)
    if not roster.may(name, act):
        raise SignerUnlisted(f"{name} may not {act}")
    return name


def sign(key: Ed25519PrivateKey, statement: bytes) -> str:
    """The signature in base64, as `signatures.signer_of` verifies it."""
    return base64.b64encode(key.sign(signed_bytes(statement))).decode()
