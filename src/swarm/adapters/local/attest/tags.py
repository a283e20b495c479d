"""Verifies a signed tag: the right name, on the right commit, by a key that may sign here now.

The tag object is read raw, and only its exact form is accepted. Validity is asked for now, not
for the date that the tag claims, which whoever holds an expired key could choose.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from swarm.adapters.local.attest.errors import TrustFileUnusable
from swarm.adapters.local.attest.keygen import keygen
from swarm.adapters.local.attest.reasons import Fault, Faulty
from swarm.adapters.local.attest.settings import AttestationSettings
from swarm.adapters.local.git.plumbing import Git
from swarm.core.policy.intake_text import printable

#: A tag is a few lines; 64 KiB leave room for long release notes.
TAG_BYTES = 64 * 1024

#: The purpose that git asks for when it signs with SSH.
NAMESPACE = "git"

_BEGIN = b"-----BEGIN SSH SIGNATURE-----\n"
_END = b"-----END SSH SIGNATURE-----\n"
_OTHER = (
    b"-----BEGIN PGP SIGNATURE-----",
    b"-----BEGIN PGP MESSAGE-----",
    b"-----BEGIN SIGNED MESSAGE-----",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedTag:
    """A tag object taken apart: what was signed, and by what."""

    object: str
    kind: str
    name: str
    payload: bytes
    signature: bytes


async def verify_tag(git: Git, commit: str, settings: AttestationSettings) -> str:
    """The identity that signed the commit. Raises Faulty, or TrustFileUnusable."""
    for path in (settings.allowed_signers, settings.revoked_signers):
        if path is not None:
            _readable(path)
    name = tag_name(settings, commit)
    tag = take_apart(await _read(git, name))
    if tag.name != name:
        raise Faulty(Fault.TAG_RENAMED, f"refs/tags/{name} was signed as {printable(tag.name)!r}")
    if (tag.kind, tag.object) != ("commit", commit):
        raise Faulty(Fault.TAG_WRONG_OBJECT, f"{name} signs {tag.kind} {tag.object}, not {commit}")
    with tempfile.TemporaryDirectory(prefix="swarm-tag-") as scratch:
        signature = Path(scratch) / "signature"
        signature.write_bytes(tag.signature)
        return await _verify(tag, str(signature), settings)


def tag_name(settings: AttestationSettings, commit: str) -> str:
    """The name that the tag on this commit must have."""
    return settings.tag.replace("{commit}", commit)


def take_apart(raw: bytes) -> SignedTag:
    """Split a raw tag object. Raises Faulty for anything that git would not have written."""
    for other in _OTHER:
        if b"\n" + other in raw:
            raise Faulty(Fault.SIGNATURE_UNSUPPORTED, "only SSH signatures are verified here")
    payload, begin, rest = raw.partition(_BEGIN)
    head, blank, _ = payload.partition(b"\n\n")
    lines = head.decode("utf-8", "replace").split("\n")
    names = [line.partition(" ")[0] for line in lines]
    if not blank or names != ["object", "type", "tag", "tagger"]:
        raise Faulty(Fault.TAG_MALFORMED, "its head is not object, type, tag and tagger")
    if not begin:
        raise Faulty(Fault.TAG_UNSIGNED, "the tag has no signature")
    if not payload.endswith(b"\n") or _BEGIN in rest or not rest.endswith(_END):
        raise Faulty(Fault.SIGNATURE_MALFORMED, "not exactly one signature at the end")
    target, kind, name = (line.partition(" ")[2] for line in lines[:3])
    return SignedTag(object=target, kind=kind, name=name, payload=payload, signature=begin + rest)


async def _read(git: Git, name: str) -> bytes:
    found = await git.run("rev-parse", "--verify", "--quiet", f"refs/tags/{name}", ok=(0, 1))
    if found.code:
        raise Faulty(Fault.TAG_MISSING, f"there is no tag {name!r}")
    about = (await git.run("cat-file", "--batch-check", stdin=f"{found.text}\n".encode())).text
    _, kind, size = about.split(" ")
    if kind != "tag":
        raise Faulty(Fault.TAG_LIGHTWEIGHT, f"{name} is a plain ref to a {kind}")
    if int(size) > TAG_BYTES:
        raise Faulty(Fault.TAG_TOO_LARGE, f"{name} has {size} bytes, at most {TAG_BYTES}")
    return (await git.run("cat-file", "tag", found.text)).out


async def _verify(tag: SignedTag, signature: str, settings: AttestationSettings) -> str:
    plain = await keygen(
        "-Y", "check-novalidate", "-n", NAMESPACE, "-s", signature, stdin=tag.payload
    )
    if not plain.good:
        raise Faulty(*_why_bad(plain.words))
    allowed = str(settings.allowed_signers)
    found = await keygen("-Y", "find-principals", "-f", allowed, "-s", signature)
    if not found.good:
        raise Faulty(*_why_unknown(found.words, plain.out))
    principals = [line for line in found.out.splitlines() if line]
    chosen = [who for who in principals if _may_sign(who, settings.principals)]
    if not chosen:
        who = printable(", ".join(principals)[:200])
        raise Faulty(Fault.SIGNER_NOT_ALLOWED, f"{who} may not sign for this repository")
    argv = ("-Y", "verify", "-f", allowed, "-I", chosen[0], "-n", NAMESPACE, "-s", signature)
    verified = await keygen(*argv, stdin=tag.payload)
    if not verified.good:
        raise Faulty(Fault.SIGNER_NOT_ALLOWED, _last(verified.words))
    if settings.revoked_signers is not None:
        still = await keygen(*argv, "-r", str(settings.revoked_signers), stdin=tag.payload)
        if not still.good:
            raise Faulty(Fault.SIGNER_REVOKED, f"the key of {chosen[0]} was revoked")
    return printable(f"{chosen[0]} ({plain.out.strip().rpartition(' ')[2]})")


def _may_sign(who: str, patterns: tuple[str, ...]) -> bool:
    return not patterns or any(fnmatchcase(who, pattern) for pattern in patterns)


def _why_bad(words: str) -> tuple[Fault, str]:
    if "namespace" in words:
        return Fault.SIGNATURE_WRONG_NAMESPACE, f"the signature was not made for {NAMESPACE!r}"
    if "incorrect signature" in words:
        return Fault.SIGNATURE_INVALID, "the signature does not fit the tag"
    return Fault.SIGNATURE_MALFORMED, _last(words)


def _why_unknown(words: str, key: str) -> tuple[Fault, str]:
    if "has expired" in words:
        return Fault.SIGNER_EXPIRED, _last(words, "has expired")
    if "not yet valid" in words:
        return Fault.SIGNER_NOT_YET_VALID, _last(words, "not yet valid")
    name = printable(key.strip().rpartition(" ")[2])
    return Fault.SIGNER_UNKNOWN, f"key {name} is not among the allowed signers"


def _last(words: str, holding: str = "") -> str:
    lines = [line for line in words.splitlines() if line.strip() and holding in line]
    return printable(lines[-1][:300]) if lines else "ssh-keygen gave no reason"


def _readable(path: Path) -> None:
    try:
        path.read_bytes()
    except OSError as error:
        raise TrustFileUnusable(f"{path}: {error.strerror}") from error
