"""Signed tags, by real git and ssh-keygen: each way of being wrong has its own name."""

import pytest

from swarm.adapters.local.attest.settings import AttestationSettings
from swarm.adapters.local.attest.tags import TAG_BYTES
from swarm.core.evidence import ArtifactResult
from swarm.ports.reply import Done, Later, No

pytestmark = pytest.mark.req("GATE-4")


@pytest.fixture
def tags(place, program):
    """Makes tags as git writes them, or nearly."""

    class Tags:
        def payload(self, *, target=None, kind="commit", name=None, text="Attested\n"):
            name = name or f"attested/{place.commit}"
            return (
                f"object {target or place.commit}\ntype {kind}\ntag {name}\n"
                f"tagger B <b@x> 1772000000 +0000\n\n{text}"
            ).encode()

        def sign(self, payload, key="builder", namespace="git"):
            file = place.tmp / "payload"
            file.write_bytes(payload)
            file.with_suffix(".sig").unlink(missing_ok=True)
            program("ssh-keygen", "-Y", "sign", "-n", namespace, "-f", place.keys / key, file)
            return file.with_suffix(".sig").read_bytes()

        def put(self, raw):
            git = ("git", "-C", place.clone)
            tag = program(
                *git, "hash-object", "-t", "tag", "-w", "--literally", "--stdin", stdin=raw
            )
            # Not by update-ref, which refuses some of the objects that a forger would write.
            ref = place.clone / f"refs/tags/attested/{place.commit}"
            ref.parent.mkdir(parents=True, exist_ok=True)
            ref.write_bytes(tag)

    return Tags()


@pytest.fixture
def trusting(place):
    def settings(line=None, **more):
        public = (place.keys / "builder.pub").read_text().split()
        line = line or 'builder@demo namespaces="git" {key}'
        file = place.tmp / "allowed_signers"
        file.write_text(line.format(key=" ".join(public[:2])) + "\n")
        return AttestationSettings(allowed_signers=file, **more)

    return settings


async def refused(place, settings):
    reply = await place.judge(settings)
    assert isinstance(reply, Done), reply
    assert reply.fact.result is ArtifactResult.REFUSED, reply.fact
    return reply.fact.reason.partition(":")[0]


async def test_a_good_tag_verifies_and_names_who_signed(place, tags, trusting):
    payload = tags.payload()
    tags.put(payload + tags.sign(payload))
    reply = await place.judge(trusting())
    assert reply.fact.result is ArtifactResult.VERIFIED
    assert reply.fact.identity.startswith("tag by builder@demo (SHA256:")
    assert reply.fact.commit == place.commit


async def test_a_tag_that_git_itself_signed_verifies(place, program, trusting):
    program(
        "git", "-C", place.clone,
        "-c", "gpg.format=ssh", "-c", "user.name=B", "-c", "user.email=b@x",
        "-c", f"user.signingKey={place.keys / 'builder'}",
        "tag", "-s", "-m", "Release", f"attested/{place.commit}", place.commit,
    )  # fmt: skip
    assert (await place.judge(trusting())).fact.result is ArtifactResult.VERIFIED


def vectors(place, tags, program):
    good = tags.payload()
    name = f"attested/{place.commit}"

    def signed(payload, **more):
        tags.put(payload + tags.sign(payload, **more))

    def moved():
        payload = tags.payload(name="attested/other")
        tags.put(payload + tags.sign(payload))

    def on_tree():
        tree = program("git", "-C", place.clone, "rev-parse", f"{place.commit}^{{tree}}")
        signed(tags.payload(target=tree.decode().strip(), kind="tree"))

    return {
        "TagMissing": lambda: None,
        "TagLightweight": lambda: program("git", "-C", place.clone, "tag", name, place.commit),
        "TagUnsigned": lambda: tags.put(good),
        "TagRenamed": moved,
        "TagWrongObject": lambda: signed(tags.payload(target=place.older)),
        "TagWrongObject (a tree)": on_tree,
        "TagMalformed": lambda: signed(good.replace(b"tagger B", b"extra x\ntagger B")),
        "TagMalformed (two objects)": lambda: signed(f"object {place.older}\n".encode() + good),
        "TagTooLarge": lambda: signed(tags.payload(text="x" * TAG_BYTES)),
        "SignatureUnsupported": lambda: tags.put(good + b"-----BEGIN PGP SIGNATURE-----\n"),
        "SignatureMalformed": lambda: tags.put(good + tags.sign(good)[:80]),
        "SignatureMalformed (two)": lambda: tags.put(good + tags.sign(good) * 2),
        "SignatureMalformed (text behind)": lambda: tags.put(good + tags.sign(good) + b"more\n"),
        "SignatureMalformed (garbage)": lambda: tags.put(
            good + b"-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n"
        ),
        "SignatureInvalid": lambda: tags.put(tags.payload(text="x\n") + tags.sign(good)),
        "SignatureWrongNamespace": lambda: signed(good, namespace="file"),
        "SignerUnknown": lambda: signed(good, key="other"),
    }


NAMES = (
    "TagMissing", "TagLightweight", "TagUnsigned", "TagRenamed", "TagWrongObject",
    "TagWrongObject (a tree)", "TagMalformed", "TagMalformed (two objects)", "TagTooLarge",
    "SignatureUnsupported", "SignatureMalformed", "SignatureMalformed (two)",
    "SignatureMalformed (text behind)", "SignatureMalformed (garbage)", "SignatureInvalid",
    "SignatureWrongNamespace", "SignerUnknown",
)  # fmt: skip


@pytest.mark.fast("TagMissing", "TagLightweight")
@pytest.mark.parametrize("name", NAMES)
async def test_a_bad_tag_is_refused_by_name(place, tags, trusting, program, name):
    made = vectors(place, tags, program)
    assert set(made) == set(NAMES)
    made[name]()
    assert await refused(place, trusting()) == name.partition(" ")[0]


@pytest.mark.fast(
    'builder@demo valid-before="20200101" {key}-SignerExpired',
    'builder@demo valid-after="20990101" {key}-SignerNotYetValid',
)
@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('builder@demo valid-before="20200101" {key}', "SignerExpired"),
        ('builder@demo valid-after="20990101" {key}', "SignerNotYetValid"),
        ('builder@demo namespaces="file" {key}', "SignerNotAllowed"),
        ("somebody@else {key}", "SignerNotAllowed"),
        ("# nobody", "SignerUnknown"),
    ],
)
async def test_a_key_that_may_not_sign_here_now_is_refused(place, tags, trusting, line, fault):
    payload = tags.payload()
    tags.put(payload + tags.sign(payload))
    assert await refused(place, trusting(line, principals=["builder@*"])) == fault


async def test_a_back_dated_tag_does_not_revive_an_expired_key(place, tags, trusting):
    """Whoever holds an old key can write any date into a tag."""
    payload = tags.payload().replace(b"1772000000", b"1500000000")
    tags.put(payload + tags.sign(payload))
    line = 'builder@demo valid-before="20200101" {key}'
    assert await refused(place, trusting(line)) == "SignerExpired"


@pytest.mark.slow
async def test_a_revoked_key_is_refused(place, tags, trusting):
    payload = tags.payload()
    tags.put(payload + tags.sign(payload))
    settings = trusting(revoked_signers=place.keys / "builder.pub")
    assert await refused(place, settings) == "SignerRevoked"
    settings = trusting(revoked_signers=place.keys / "other.pub")
    assert (await place.judge(settings)).fact.result is ArtifactResult.VERIFIED


async def test_a_good_tag_says_nothing_about_another_commit(place, tags, trusting):
    payload = tags.payload()
    tags.put(payload + tags.sign(payload))
    reply = await place.judge(trusting(), commit=place.older)
    assert reply.fact.reason.startswith("TagMissing")


async def test_an_unknown_commit_is_final(place, trusting):
    assert isinstance(await place.judge(trusting(), commit="0" * 40), No)


@pytest.mark.parametrize("which", ["allowed_signers", "revoked_signers"])
async def test_a_trust_file_that_cannot_be_read_is_no_verdict(place, trusting, which):
    settings = trusting().model_copy(update={which: place.tmp / "nowhere"})
    reply = await place.judge(settings)
    assert isinstance(reply, Later)
    assert (reply.reason, reply.capacity) == ("TrustFileUnusable", True)
    assert "nowhere" in reply.detail


async def test_a_missing_ssh_keygen_is_no_verdict(place, tags, trusting, program, monkeypatch):
    payload = tags.payload()
    tags.put(payload + tags.sign(payload))
    tools = place.tmp / "bin"
    tools.mkdir()
    (tools / "git").symlink_to(program("which", "git").decode().strip())
    monkeypatch.setenv("PATH", str(tools))
    reply = await place.judge(trusting())
    assert isinstance(reply, Later)
    assert reply.reason == "SignatureToolMissing"


async def test_without_settings_it_reads_not_configured_never_verified(place):
    reply = await place.judge(None)
    assert reply.fact.result is ArtifactResult.NOT_CONFIGURED
