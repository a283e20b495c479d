"""Makes keys, signed tags and signed provenance, for the demo and for small installations.

A tag and an envelope follow from commit and key alone where the signature scheme allows it
(Ed25519), and neither is made twice: repeating after a crash finds what is there.
"""

from __future__ import annotations

import base64
import json
import os
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from swarm.adapters.local.attest.envelope import PAYLOAD_TYPE, pae
from swarm.adapters.local.attest.errors import KeyTaken, SigningFailed, TrustFileUnusable
from swarm.adapters.local.attest.keygen import keygen
from swarm.adapters.local.attest.provenance import PREDICATE_TYPE, STATEMENT_TYPE
from swarm.adapters.local.attest.tags import NAMESPACE
from swarm.adapters.local.git import lock
from swarm.adapters.local.git.clone import LOCK_WAIT
from swarm.adapters.local.git.commits import one_line, read_commit
from swarm.adapters.local.git.plumbing import Git


async def make_ssh_key(key: Path, principal: str) -> str:
    """Make an Ed25519 key pair without passphrase; gives its line for an allowed-signers file."""
    said = await keygen("-q", "-t", "ed25519", "-N", "", "-C", principal, "-f", str(key))
    if "already exists" in said.words:
        raise KeyTaken(f"{key} exists")
    if not said.good:
        raise SigningFailed(f"ssh-keygen made no key at {key}: {said.words.strip()[-200:]}")
    kind, public, *_ = key.with_name(f"{key.name}.pub").read_text().split()
    return f'{principal} namespaces="{NAMESPACE}" {kind} {public}\n'


def make_pem_key(key: Path) -> Path:
    """Make an Ed25519 key at `key` (PKCS 8 PEM, mode 600); gives the path of its public half.

    Both are there whole or not at all: half a key, from a disk that was full, would be refused by
    whoever reads it and be in the way of a new one, for ever.
    """
    private = ed25519.Ed25519PrivateKey.generate()
    public = key.with_name(f"{key.name}.pub")
    if key.exists() or public.exists():
        raise KeyTaken(f"{key} exists")
    data = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    with tempfile.TemporaryDirectory(prefix=".new-", dir=key.parent) as folder:
        secret, told = Path(folder) / "secret", Path(folder) / "public"
        with os.fdopen(os.open(secret, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        told.write_bytes(
            private.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )
        key.hardlink_to(secret)  # never over the key of somebody who was faster
        told.replace(public)
    return public


async def sign_tag(git: Git, commit: str, key: Path, name: str, who: str) -> str:
    """Put an SSH-signed tag on the commit unless the name is taken; gives the tag object's id.

    who: the tagger, as `Name <address>`. The date is the commit's own, so a repetition signs the
    same bytes. A name that is taken is left alone: the verifier says whether it is any good.
    """
    about = await read_commit(git, commit)
    ref = f"refs/tags/{name}"
    if git.folder is None:
        raise SigningFailed("a tag needs a repository to be put in")
    await git.run("check-ref-format", ref)
    payload = (
        f"object {commit}\ntype commit\ntag {name}\n"
        f"tagger {one_line(who, 200)} {int(about.at.timestamp())} +0000\n\nAttested\n"
    ).encode()
    with tempfile.TemporaryDirectory(prefix="swarm-sign-") as scratch:
        message = Path(scratch) / "payload"
        message.write_bytes(payload)
        said = await keygen("-Y", "sign", "-n", NAMESPACE, "-f", str(key), str(message))
        if not said.good:
            raise SigningFailed(f"ssh-keygen did not sign: {said.words.strip()[-200:]}")
        signature = message.with_suffix(".sig").read_bytes()
    tag = (await git.run("mktag", stdin=payload + signature)).text
    # The clone's own lock: what a killed git left behind may be removed under it, and only so.
    async with lock.writing(git.folder.with_suffix(".lock"), LOCK_WAIT) as held:
        await lock.sweep(git.folder, [ref])
        there = git.holding(held)
        taken = await there.run("rev-parse", "--verify", "--quiet", ref, ok=(0, 1))
        if taken.code == 0:
            return taken.text
        await there.run("update-ref", ref, tag, "0" * len(tag))
    return tag


def statement(
    commit: str, archive: str, builder: tuple[str, str], source: str, finished: datetime
) -> dict[str, Any]:
    """An in-toto statement with SLSA provenance v1 about a commit.

    archive: SHA-256 of `git archive --format=tar COMMIT`.    builder: its id and the build type.
    """
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": source, "digest": {"gitCommit": commit, "sha256": archive}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "buildDefinition": {
                "buildType": builder[1],
                "externalParameters": {},
                "resolvedDependencies": [{"uri": source, "digest": {"gitCommit": commit}}],
            },
            "runDetails": {
                "builder": {"id": builder[0]},
                "metadata": {"finishedOn": finished.isoformat()},
            },
        },
    }


def seal(said: Mapping[str, Any], keys: list[Path]) -> bytes:
    """A DSSE envelope around a statement, signed with every key. Raises TrustFileUnusable."""
    payload = json.dumps(said, sort_keys=True, separators=(",", ":")).encode()
    signatures = [
        {"sig": base64.b64encode(_private(path).sign(pae(PAYLOAD_TYPE, payload))).decode()}
        for path in keys
    ]
    body = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": signatures,
    }
    return json.dumps(body).encode() + b"\n"


def put(path: Path, data: bytes) -> None:
    """Write a file complete or not at all, and never over one that is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".new-", dir=path.parent)
    fresh = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(fresh)
        except FileExistsError:
            return
    finally:
        fresh.unlink()


def _private(path: Path) -> ed25519.Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise TrustFileUnusable(f"{path}: {error.strerror}") from error
    except Exception as error:  # the library raises several kinds, each means the same here
        raise TrustFileUnusable(f"{path}: no unencrypted PEM private key") from error
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise TrustFileUnusable(f"{path}: only Ed25519 keys are signed with here")
    return key
