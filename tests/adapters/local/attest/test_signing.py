"""The signing command: run once for what is missing, never to cover up what is wrong."""

import asyncio
import os
import resource
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from swarm.adapters.local.attest import builder, sign
from swarm.adapters.local.attest.envelope import load_public_key
from swarm.adapters.local.attest.errors import KeyTaken
from swarm.adapters.local.attest.settings import AttestationSettings
from swarm.adapters.local.git.plumbing import Git
from swarm.core.evidence import ArtifactResult
from swarm.ports.reply import Later

pytestmark = [pytest.mark.req("GATE-4"), pytest.mark.req("OWN-3")]
OURS = ("{python}", "-m", "swarm.adapters.local.attest.builder")


@pytest.fixture
def trust(place):
    def settings(*more, provenance=True, **fields):
        public = (place.keys / "builder.pub").read_text().split()
        signers = place.tmp / "signers"
        signers.write_text(f"builder@demo {public[0]} {public[1]}\n")
        command = [*OURS, "--key", str(place.keys / "builder"), *more]
        if provenance:
            command += ["--provenance-key", str(place.keys / "builder.pem")]
            fields["provenance"] = {
                "envelope": str(place.tmp / "env/{commit}.json"),
                "keys": [place.keys / "builder.pem.pub"],
                "builders": [builder.BUILDER_ID],
                "build_types": [builder.BUILD_TYPE],
                "source": "git+file:///app",
            }
        return AttestationSettings(allowed_signers=signers, **({"sign": command} | fields))

    return settings


def counting(place, settings):
    """The same settings with a command that also notes each run."""
    note = place.tmp / "runs"
    script = place.tmp / "count.sh"
    script.write_text(f"#!/bin/sh\necho run >> '{note}'\nexec \"$@\"\n")
    script.chmod(0o755)
    return settings.model_copy(update={"sign": (str(script), *settings.sign)}), note


async def test_what_is_missing_is_signed_once_and_then_verified(place, trust):
    place.now = datetime.now(UTC)
    settings, note = counting(place, trust())
    for _ in range(3):
        fact = (await place.judge(settings)).fact
        assert fact.result is ArtifactResult.VERIFIED, fact
    assert note.read_text() == "run\n"
    assert "tag by builder@demo" in fact.identity
    assert f"built by {builder.BUILDER_ID}" in fact.identity
    assert list((place.tmp / "attest").iterdir()) == []


async def test_a_forged_part_is_never_covered_up_by_signing_the_rest(place, trust, program):
    program("git", "-C", place.clone, "tag", f"attested/{place.commit}", place.commit)
    settings, note = counting(place, trust())
    fact = (await place.judge(settings)).fact
    assert fact.reason.startswith("TagLightweight")
    assert not note.exists()


async def test_a_command_that_ends_well_and_signs_nothing_is_a_refusal(place, trust):
    fact = (await place.judge(trust(sign=["true"]))).fact
    assert fact.result is ArtifactResult.REFUSED
    assert fact.reason.startswith("TagMissing")


@pytest.mark.fast("command0-ended with 3: no key here", "command1-cannot run")
@pytest.mark.parametrize(
    ("command", "word"),
    [
        (["sh", "-c", "echo no key here >&2; exit 3"], "ended with 3: no key here"),
        (["/nowhere/signer"], "cannot run"),
        (["sh", "-c", "sleep 60"], "did not end in 1 s"),
    ],
)
async def test_a_command_that_fails_is_no_verdict(place, trust, command, word):
    reply = await place.judge(trust(sign=command, sign_timeout="PT1S"))
    assert isinstance(reply, Later)
    assert (reply.reason, reply.capacity) == ("SigningFailed", True)
    assert word in reply.detail


async def test_the_command_sees_the_commit_and_nothing_of_our_environment(
    place, trust, monkeypatch
):
    monkeypatch.setenv("SECRET_TOKEN", "x")
    monkeypatch.setenv("WANTED", "y")
    seen = place.tmp / "seen"
    script = f"env > '{seen}'; cat '{{checkout}}/a.txt' >> '{seen}'; echo '{{commit}}' >> '{seen}'"
    await place.judge(trust(sign=["sh", "-c", script], environment=["WANTED"]))
    text = seen.read_text()
    assert "SECRET_TOKEN" not in text
    assert "WANTED=y" in text
    assert f"SWARM_COMMIT={place.commit}" in text
    assert f"SWARM_CLONE={place.clone}" in text
    assert "two" in text


async def test_the_folder_of_a_command_that_was_killed_with_us_is_removed_by_a_later_one(
    place, trust
):
    left = place.tmp / "attest" / "sign-killed"
    (left / "checkout").mkdir(parents=True)
    os.utime(left, (1, 1))
    await place.judge(trust(sign=["true"]))
    assert not left.exists()


async def test_what_a_command_leaves_running_is_ended(place, trust):
    pid = place.tmp / "pid"
    await place.judge(trust(sign=["sh", "-c", f"sleep 300 & echo $! > '{pid}'"]))
    await asyncio.sleep(0.2)
    assert not _lives(int(pid.read_text()))


@pytest.mark.slow
async def test_two_controllers_at_once_make_one_tag_and_one_envelope(place, trust, program):
    place.now = datetime.now(UTC)
    replies = await asyncio.gather(*(place.judge(trust()) for _ in range(3)))
    assert {reply.fact.result for reply in replies} == {ArtifactResult.VERIFIED}
    assert len({reply.fact.identity for reply in replies}) == 1
    assert len(program("git", "-C", place.clone, "tag").split()) == 1
    assert len(list((place.tmp / "env").iterdir())) == 1


async def test_a_repeated_signature_is_the_same_tag_object(place):
    git = Git(place.clone)
    who, key = "B <b@x>", place.keys / "builder"
    one = await sign.sign_tag(git, place.commit, key, "t/1", who)
    await git.run("update-ref", "-d", "refs/tags/t/1")
    assert await sign.sign_tag(git, place.commit, key, "t/1", who) == one


@pytest.mark.slow
async def test_a_signer_killed_at_any_moment_is_repeated(place, trust):
    """Each kill falls a little later; the last run is left alone."""
    place.now = datetime.now(UTC)
    settings = trust()
    env = {
        **os.environ,
        "SWARM_COMMIT": place.commit, "SWARM_CLONE": str(place.clone),
        "SWARM_TAG": f"attested/{place.commit}", "SWARM_SOURCE": "git+file:///app",
        "SWARM_ENVELOPE": str(place.tmp / f"env/{place.commit}.json"),
    }  # fmt: skip
    argv = [part.replace("{python}", sys.executable) for part in settings.sign]
    for tenths in range(1, 9):
        await asyncio.to_thread(_killed_after, argv, env, tenths / 10)
    assert (await place.judge(settings)).fact.result is ArtifactResult.VERIFIED


def _lives(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _killed_after(argv, env, seconds):
    with subprocess.Popen(argv, env=env) as process:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()


async def test_a_key_is_never_overwritten(place):
    with pytest.raises(KeyTaken):
        sign.make_pem_key(place.keys / "builder.pem")
    with pytest.raises(KeyTaken):
        await sign.make_ssh_key(place.keys / "builder", "x")


def test_a_key_that_a_full_disk_cut_off_is_not_left_behind(tmp_path):
    """Half a key would be refused for ever, and nobody would make a new one over it."""
    key = tmp_path / "seal.key"
    largest = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, largest[1]))
    try:
        with pytest.raises(OSError):  # noqa: PT011 - EFBIG here, ENOSPC on a full disk
            sign.make_pem_key(key)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, largest)
    assert list(tmp_path.iterdir()) == []
    public = sign.make_pem_key(key)
    assert load_public_key(public)
    assert key.stat().st_mode & 0o077 == 0
    assert sorted(tmp_path.iterdir()) == [key, public]


async def test_a_made_key_is_private_and_its_line_is_trusted(place):
    line = await sign.make_ssh_key(place.tmp / "fresh", "me@here")
    assert line.startswith('me@here namespaces="git" ssh-ed25519 ')
    assert (place.tmp / "fresh").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({}, "needs allowed_signers or provenance"),
        ({"allowed_signers": "/x", "tag": "release"}, "tag must contain {commit}"),
        ({"allowed_signers": "/x", "tag": "a b{commit}"}, "tag"),
        ({"allowed_signers": "/x", "singers": []}, "singers"),
        ({"provenance": {"envelope": "x"}}, "provenance.keys"),
    ],
)
def test_settings_say_what_is_wrong(fields, word):
    with pytest.raises(ValidationError) as caught:
        AttestationSettings(**fields)
    assert word in str(caught.value)


@pytest.mark.parametrize("argv", [[], ["--commit", "x", "--clone", "y"]])
def test_the_builder_says_what_it_needs(argv, capsys, monkeypatch):
    monkeypatch.delenv("SWARM_COMMIT", raising=False)
    with pytest.raises(SystemExit) as ended:
        builder.main(argv)
    assert ended.value.code == 2
    assert "--" in capsys.readouterr().err
