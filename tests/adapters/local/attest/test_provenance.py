"""DSSE envelopes with SLSA provenance: every part exchanged, one at a time."""

import base64
import copy
import json
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from swarm.adapters.local.attest.attestations import archive_digest
from swarm.adapters.local.attest.envelope import ENVELOPE_BYTES, PAYLOAD_TYPE, pae
from swarm.adapters.local.attest.settings import AttestationSettings
from swarm.adapters.local.attest.sign import _private, statement
from swarm.adapters.local.git.plumbing import Git
from swarm.core.evidence import ArtifactResult
from swarm.ports.reply import Later

pytestmark = pytest.mark.req("GATE-4")
BUILDER, TYPE, SOURCE = "https://b.example/1", "https://t.example/1", "git+https://h.example/r"


@pytest.fixture
async def good(place):
    archive = await archive_digest(Git(place.clone), place.commit)
    return statement(place.commit, archive, (BUILDER, TYPE), SOURCE, place.now)


@pytest.fixture
def policy(place):
    def settings(**more):
        fields = {
            "envelope": str(place.tmp / "{commit}.json"), "keys": [place.keys / "builder.pem.pub"],
            "builders": [BUILDER], "build_types": [TYPE], "source": SOURCE,
        } | more  # fmt: skip
        return AttestationSettings(provenance=fields)

    return settings


@pytest.fixture
def put(place):
    def write(envelope):
        raw = envelope if isinstance(envelope, bytes) else json.dumps(envelope).encode()
        (place.tmp / f"{place.commit}.json").write_bytes(raw)

    return write


def sealed(place, said, names=("builder",), payload_type=PAYLOAD_TYPE):
    payload = said if isinstance(said, bytes) else json.dumps(said).encode()
    signed = pae(payload_type, payload)
    keys = [_private(place.keys / f"{name}.pem") for name in names]
    return {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": payload_type,
        "signatures": [{"sig": base64.b64encode(key.sign(signed)).decode()} for key in keys],
    }


async def fault(place, settings):
    fact = (await place.judge(settings)).fact
    assert fact.result is ArtifactResult.REFUSED, fact
    return fact.reason.partition(":")[0]


async def test_good_provenance_verifies_and_names_the_builder(place, good, policy, put):
    put(sealed(place, good))
    fact = (await place.judge(policy(archive=True, max_age=timedelta(days=1)))).fact
    assert fact.result is ArtifactResult.VERIFIED
    assert fact.identity.startswith(f"built by {BUILDER} (SHA256:")


def changed(path, value):
    """The statement with one field exchanged, or taken out where value is None."""

    def act(said):
        *way, last = path.split(".")
        for part in way:
            said = said[int(part)] if part.isdigit() else said[part]
        if value is None:
            del said[last]
        else:
            said[int(last) if last.isdigit() else last] = value

    return act


DEFINITION, DETAILS = "predicate.buildDefinition", "predicate.runDetails"
DEPENDENCY = f"{DEFINITION}.resolvedDependencies.0"
STATEMENTS = {
    "StatementTypeUnknown": changed("_type", "https://in-toto.io/Statement/v0.1"),
    "StatementTypeUnknown (none)": changed("_type", None),
    "PredicateTypeUnknown": changed("predicateType", "https://slsa.dev/provenance/v0.2"),
    "SubjectMismatch": changed("subject.0.digest.gitCommit", "0" * 40),
    "SubjectMismatch (upper case)": lambda said: said["subject"][0]["digest"].update(
        gitCommit=said["subject"][0]["digest"]["gitCommit"].upper()
    ),
    "SubjectMismatch (no subject)": changed("subject", []),
    "SubjectMismatch (only sha1)": changed("subject.0.digest.gitCommit", None),
    "ArchiveMismatch": changed("subject.0.digest.sha256", "0" * 64),
    "ArchiveMismatch (no text)": changed("subject.0.digest.sha256", 1),
    "ArchiveMissing": changed("subject.0.digest.sha256", None),
    "BuilderNotAllowed": changed(f"{DETAILS}.builder.id", "https://b.example/10"),
    "BuilderNotAllowed (none)": changed(f"{DETAILS}.builder.id", None),
    "BuilderNotAllowed (list)": changed(f"{DETAILS}.builder.id", [BUILDER]),
    "BuildTypeNotAllowed": changed(f"{DEFINITION}.buildType", "https://t.example/2"),
    "SourceMissing": changed(f"{DEFINITION}.resolvedDependencies", []),
    "SourceMissing (none)": changed(f"{DEFINITION}.resolvedDependencies", None),
    "SourceMismatch": changed(f"{DEPENDENCY}.uri", "git+https://h.example/fork"),
    "SourceCommitMismatch": changed(f"{DEPENDENCY}.digest.gitCommit", "0" * 40),
    "SourceCommitMismatch (none)": changed(f"{DEPENDENCY}.digest.gitCommit", None),
    "ProvenanceExpired": changed(f"{DETAILS}.metadata.finishedOn", "2026-02-01T00:00:00Z"),
    "ProvenanceFromTheFuture": changed(f"{DETAILS}.metadata.finishedOn", "2026-04-01T00:00:00Z"),
    "ProvenanceUndated": changed(f"{DETAILS}.metadata", None),
    "StatementMalformed (time)": changed(f"{DETAILS}.metadata.finishedOn", "yesterday"),
    "StatementMalformed (zone)": changed(f"{DETAILS}.metadata.finishedOn", "2026-03-01T00:00:00"),
    "StatementMalformed (predicate)": changed("predicate", "x"),
    "StatementMalformed (subject)": changed("subject", {"digest": {}}),
    "StatementMalformed (builder)": changed(f"{DETAILS}.builder", None),
}


@pytest.mark.fast("StatementTypeUnknown", "StatementTypeUnknown (none)")
@pytest.mark.parametrize("name", STATEMENTS)
async def test_a_signed_statement_that_says_something_else_is_refused(
    place, good, policy, put, name
):
    said = copy.deepcopy(good)
    STATEMENTS[name](said)
    put(sealed(place, said))
    strict = policy(archive=True, max_age=timedelta(days=1))
    assert await fault(place, strict) == name.partition(" ")[0]


def envelopes(place, good):
    fine = sealed(place, good)
    text = json.dumps(good).encode()
    key = _private(place.keys / "builder.pem")
    bare = {"sig": base64.b64encode(key.sign(text)).decode()}
    return {
        "EnvelopeTooLarge": b" " * (ENVELOPE_BYTES + 1),
        "EnvelopeMalformed (no JSON)": b"{",
        "EnvelopeMalformed (no UTF-8)": b'{"a": "\xff"}',
        "EnvelopeMalformed (list)": b"[]",
        "EnvelopeMalformed (behind)": json.dumps(fine).encode() + b"{}",
        "EnvelopeMalformed (deep)": b"[" * 100_000,
        "EnvelopeMalformed (NaN)": b'{"payload": NaN}',
        "EnvelopeMalformed (nothing)": b"{}",
        "EnvelopeMalformed (payload)": fine | {"payload": 7},
        "EnvelopeMalformed (base64)": fine | {"payload": "a?b="},
        "EnvelopeMalformed (two alphabets)": fine | {"payload": "+-=="},
        "EnvelopeMalformed (padding)": fine | {"payload": fine["payload"].rstrip("=") + "A==="},
        "EnvelopeMalformed (signature)": fine | {"signatures": ["x"]},
        "DuplicateKey": json.dumps(fine).replace("{", '{"payload": "", ', 1).encode(),
        "DuplicateKey (inside)": sealed(
            place, text.replace(b'"_type"', b'"_type": "x", "_type"', 1)
        ),
        "PayloadTypeUnknown": sealed(place, good, payload_type="application/json"),
        "NoSignatures": fine | {"signatures": []},
        "TooManySignatures": fine | {"signatures": fine["signatures"] * 17},
        "EnvelopeNotTrusted (other key)": sealed(place, good, ("other",)),
        "EnvelopeNotTrusted (no encoding)": fine | {"signatures": [bare]},
        "EnvelopeNotTrusted (payload)": fine | {"payload": base64.b64encode(text + b" ").decode()},
        "EnvelopeNotTrusted (empty)": fine | {"signatures": [{"sig": ""}]},
        "StatementMalformed (list)": sealed(place, b"[]"),
        "StatementMalformed (no JSON)": sealed(place, b"\x00"),
    }


ENVELOPES = (
    "EnvelopeTooLarge", "EnvelopeMalformed (no JSON)", "EnvelopeMalformed (no UTF-8)",
    "EnvelopeMalformed (list)", "EnvelopeMalformed (behind)", "EnvelopeMalformed (deep)",
    "EnvelopeMalformed (NaN)", "EnvelopeMalformed (nothing)", "EnvelopeMalformed (payload)",
    "EnvelopeMalformed (base64)", "EnvelopeMalformed (two alphabets)",
    "EnvelopeMalformed (padding)", "EnvelopeMalformed (signature)", "DuplicateKey",
    "DuplicateKey (inside)", "PayloadTypeUnknown", "NoSignatures", "TooManySignatures",
    "EnvelopeNotTrusted (other key)", "EnvelopeNotTrusted (no encoding)",
    "EnvelopeNotTrusted (payload)", "EnvelopeNotTrusted (empty)", "StatementMalformed (list)",
    "StatementMalformed (no JSON)",
)  # fmt: skip


@pytest.mark.fast("EnvelopeTooLarge", "EnvelopeMalformed (no JSON)")
@pytest.mark.parametrize("name", ENVELOPES)
async def test_a_bad_envelope_is_refused_by_name(place, good, policy, put, name):
    made = envelopes(place, good)
    assert set(made) == set(ENVELOPES)
    put(made[name])
    assert await fault(place, policy()) == name.partition(" ")[0]


async def test_missing_provenance_is_refused(place, policy):
    assert await fault(place, policy()) == "ProvenanceMissing"


async def test_a_revoked_key_counts_for_nothing(place, good, policy, put):
    public = place.keys / "builder.pem.pub"
    put(sealed(place, good))
    assert await fault(place, policy(revoked_keys=[public])) == "KeyRevoked"
    other = place.keys / "other.pem.pub"
    assert await fault(place, policy(keys=[other], revoked_keys=[public])) == "KeyRevoked"


async def test_several_signers_are_several_keys(place, good, policy, put):
    both = [place.keys / "builder.pem.pub", place.keys / "other.pem.pub"]
    put(sealed(place, good, ("builder", "builder")))
    assert await fault(place, policy(keys=both, signers=2)) == "TooFewSigners"
    assert await fault(place, policy(keys=[both[0], both[0]], signers=2)) == "TooFewSigners"
    put(sealed(place, good, ("builder", "other")))
    assert (await place.judge(policy(keys=both, signers=2))).fact.result is ArtifactResult.VERIFIED


async def test_a_key_id_is_a_hint_that_changes_nothing(place, good, policy, put):
    envelope = sealed(place, good)
    envelope["signatures"][0]["keyid"] = "somebody else's"
    put(envelope)
    assert (await place.judge(policy())).fact.result is ArtifactResult.VERIFIED


@pytest.mark.parametrize(
    ("curve", "digest"), [(ec.SECP256R1, hashes.SHA256), (ec.SECP384R1, hashes.SHA384)]
)
async def test_elliptic_curve_keys_verify(place, good, policy, put, curve, digest):
    key = ec.generate_private_key(curve())
    public = place.tmp / "ec.pub"
    public.write_bytes(_pem(key))
    payload = json.dumps(good).encode()
    signature = key.sign(pae(PAYLOAD_TYPE, payload), ec.ECDSA(digest()))
    envelope = sealed(place, good) | {
        "payload": base64.urlsafe_b64encode(payload).decode(),
        "signatures": [{"sig": base64.urlsafe_b64encode(signature).decode()}],
    }
    put(envelope)
    assert (await place.judge(policy(keys=[public]))).fact.result is ArtifactResult.VERIFIED


async def test_keys_of_other_kinds_are_no_verdict_but_a_fault_of_the_settings(
    place, good, policy, put
):
    put(sealed(place, good))
    weak = {
        "rsa": rsa.generate_private_key(65537, 2048),
        "curve": ec.generate_private_key(ec.SECP256K1()),
    }
    for name, key in weak.items():
        (place.tmp / name).write_bytes(_pem(key))
    (place.tmp / "garbage").write_bytes(b"garbage")
    for name in ("rsa", "curve", "garbage", "absent"):
        reply = await place.judge(policy(keys=[place.tmp / name]))
        assert isinstance(reply, Later), name
        assert (reply.reason, reply.capacity) == ("TrustFileUnusable", True)


def _pem(key):
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def test_the_encoding_is_the_protocols_own_example():
    """Source: the example of the DSSE protocol."""
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )
