"""Who signed: bare Ed25519 and ssh-keygen's own signatures, and nothing that looks like one."""

import base64
import subprocess
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from swarm.regime.limits.people import Person, Role, Roster
from swarm.runtime.trading.errors import SignatureUnreadable
from swarm.runtime.trading.signatures import signed_bytes, signer_of

pytestmark = pytest.mark.req("REG-10")
STATEMENT = b'{"act":"re-enable"}'


@pytest.fixture(scope="module")
def ssh(tmp_path_factory, ssh_keygen):
    """A key made by ssh-keygen, and a signature by it."""
    folder = tmp_path_factory.mktemp("ssh")
    key = folder / "key"
    subprocess.run([ssh_keygen, "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)

    def sign(statement, namespace="swarm"):
        path = folder / "statement"
        path.write_bytes(statement)
        (folder / "statement.sig").unlink(missing_ok=True)
        command = [ssh_keygen, "-q", "-Y", "sign", "-n", namespace, "-f", key, path]
        subprocess.run(command, check=True, capture_output=True)
        return (folder / "statement.sig").read_text()

    return (folder / "key.pub").read_text(), sign


@pytest.fixture
def roster(ssh):
    other = Person(id="ada", roles=frozenset({Role.RISK}), keys=("no key at all",))
    return Roster(people=(other, Person(id="sol", roles=frozenset(), keys=(ssh[0],))))


def test_a_signature_by_ssh_keygen_names_its_person(ssh, roster):
    assert signer_of(STATEMENT, ssh[1](STATEMENT), roster) == "sol"
    assert signer_of(STATEMENT + b" ", ssh[1](STATEMENT), roster) is None


def test_a_signature_for_another_purpose_counts_for_nothing(ssh, roster):
    with pytest.raises(SignatureUnreadable, match="signed for"):
        signer_of(STATEMENT, ssh[1](STATEMENT, "git"), roster)


def test_a_key_that_nobody_listed_is_nobodys(ssh, roster):
    strangers = Roster(people=(roster.people[0],))
    assert signer_of(STATEMENT, ssh[1](STATEMENT), strangers) is None
    key = Ed25519PrivateKey.generate()
    bare = base64.b64encode(key.sign(signed_bytes(STATEMENT))).decode()
    assert signer_of(STATEMENT, bare, roster) is None


def test_a_bare_signature_without_its_purpose_is_none(ssh, roster):
    from cryptography.hazmat.primitives import serialization

    key = Ed25519PrivateKey.generate()
    line = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    people = Roster(people=(replace(roster.people[0], keys=(line.decode(),)),))
    good = base64.b64encode(key.sign(signed_bytes(STATEMENT))).decode()
    bad = base64.b64encode(key.sign(STATEMENT)).decode()
    assert signer_of(STATEMENT, good, people) == "ada"
    assert signer_of(STATEMENT, bad, people) is None


def broken(text):
    lines = text.splitlines()
    blob = base64.b64decode("".join(lines[1:-1]))
    return lines[0], blob, lines[-1]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: "",
        lambda text: "not base64!",
        lambda text: base64.b64encode(b"short").decode(),
        lambda text: "A" * 20_000,
        lambda text: text.replace("U1NIU0lH", "U1NIU0lI"),
        lambda text: "\n".join((broken(text)[0], base64.b64encode(broken(text)[1][:-9]).decode(),
                                broken(text)[2])),
        lambda text: "\n".join((broken(text)[0],
                                base64.b64encode(b"SSHSIG\0\0\0\2" + broken(text)[1][10:]).decode(),
                                broken(text)[2])),
        lambda text: "\n".join((broken(text)[0], base64.b64encode(broken(text)[1] + b"\0\0\0\1x")
                                .decode(), broken(text)[2])),
        lambda text: "\n".join((broken(text)[0],
                                base64.b64encode(broken(text)[1].replace(b"sha512", b"sha1!!"))
                                .decode(), broken(text)[2])),
    ],
)  # fmt: skip
def test_what_only_looks_like_a_signature_is_refused(ssh, roster, spoil):
    with pytest.raises(SignatureUnreadable):
        signer_of(STATEMENT, spoil(ssh[1](STATEMENT)), roster)
