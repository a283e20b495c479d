"""Gate 4's hand: has what is missing made, then verifies everything that is configured."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from swarm.adapters.local.attest.command import sign_with
from swarm.adapters.local.attest.envelope import ENVELOPE_BYTES, load_public_key, open_envelope
from swarm.adapters.local.attest.errors import TrustFileUnusable
from swarm.adapters.local.attest.provenance import Expected, check_statement
from swarm.adapters.local.attest.reasons import ABSENT, Fault, Faulty
from swarm.adapters.local.attest.settings import AttestationSettings, ProvenanceSettings
from swarm.adapters.local.attest.tags import verify_tag
from swarm.adapters.local.git.commits import read_commit
from swarm.adapters.local.git.errors import CommitUnknown
from swarm.adapters.local.git.forge import LocalForge
from swarm.adapters.local.git.plumbing import Git
from swarm.contract.errors import SwarmError
from swarm.core.decision import JudgeArtifact
from swarm.core.evidence import ArtifactJudged, ArtifactResult
from swarm.core.ids import evidence_id
from swarm.core.policy.intake_text import printable
from swarm.ports.reply import Done, Later, No, Reply

SOURCE = "attestations"

#: A person mends a key file or a signing command in minutes.
_MEND = timedelta(minutes=1)

#: Writing a gigabyte of files takes tens of seconds on a slow disk.
_ARCHIVE_TIMEOUT = timedelta(minutes=10)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class LocalAttestations:
    """Implements `ports.hands.Attestations` for the repositories in `settings`.

    folder: where signing commands run, each in a folder of its own that goes with it.
    """

    def __init__(
        self,
        settings: Mapping[str, AttestationSettings],
        forge: LocalForge,
        folder: Path,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._settings = dict(settings)
        self._forge = forge
        self._folder = folder
        self._now = now

    async def judge(self, order: JudgeArtifact) -> Reply:
        """Verify for real; what is missing is signed first, where a command is configured.

        What verified before verifies again without signing again. Unreadable keys, a missing
        tool or a failing command are no verdict: Later, with capacity.
        """
        settings = self._settings.get(order.repo)
        if settings is None:
            reason = f"nothing is configured under [attestations.{order.repo!r}]"
            return self._fact(order, ArtifactResult.NOT_CONFIGURED, reason)
        try:
            identity = await self._verified(order, settings)
        except Faulty as fault:
            return self._fact(order, ArtifactResult.REFUSED, printable(str(fault)))
        except CommitUnknown as error:
            return No(reason=type(error).__name__, detail=error.message)
        except SwarmError as error:
            detail = f"{error.message}. {error.fix}"
            return Later(delay=_MEND, reason=type(error).__name__, detail=detail, capacity=True)
        return self._fact(order, ArtifactResult.VERIFIED, "", identity)

    async def _verified(self, order: JudgeArtifact, settings: AttestationSettings) -> str:
        clone = self._forge.clone(order.repo)
        await clone.open()
        await read_commit(clone.git, order.commit)
        try:
            return await verify(clone.git, order.commit, settings, self._now())
        except Faulty as fault:
            if fault.fault not in ABSENT or not settings.sign:
                raise
        await sign_with(settings, self._forge, (order.repo, order.commit), self._folder)
        return await verify(clone.git, order.commit, settings, self._now())

    def _fact(
        self, order: JudgeArtifact, result: ArtifactResult, reason: str, identity: str = ""
    ) -> Done:
        return Done(
            fact=ArtifactJudged(
                id=evidence_id(order.key),
                at=self._now(),
                source=SOURCE,
                commit=order.commit,
                result=result,
                reason=reason,
                identity=identity,
            )
        )


async def verify(git: Git, commit: str, settings: AttestationSettings, now: datetime) -> str:
    """Who attests the commit, when all that is configured verifies. Raises Faulty.

    Everything present is verified before anything missing is reported, so that a forged part is
    never covered up by signing the rest.
    """
    identities, missing = [], []
    if settings.allowed_signers is not None:
        try:
            identities.append(f"tag by {await verify_tag(git, commit, settings)}")
        except Faulty as fault:
            if fault.fault not in ABSENT:
                raise
            missing.append(fault)
    if settings.provenance is not None:
        try:
            identities.append(await verify_provenance(git, commit, settings.provenance, now))
        except Faulty as fault:
            if fault.fault not in ABSENT:
                raise
            missing.append(fault)
    if missing:
        raise missing[0]
    return "; ".join(identities)


async def verify_provenance(
    git: Git, commit: str, settings: ProvenanceSettings, now: datetime
) -> str:
    """Who built the commit, as a trusted key says. Raises Faulty or TrustFileUnusable."""
    keys = [load_public_key(path) for path in settings.keys]
    revoked = [load_public_key(path) for path in settings.revoked_keys]
    raw = await asyncio.to_thread(_read, settings.envelope_of(commit))
    trusted = open_envelope(raw, keys, revoked, settings.signers)
    # A large repository takes seconds to digest, so it is done only where a digest is stated.
    stated = settings.archive or b'"sha256"' in trusted.payload
    expected = Expected(
        commit=commit,
        archive=await archive_digest(git, commit) if stated else "",
        archive_required=settings.archive,
        builders=settings.builders,
        build_types=settings.build_types,
        source=settings.source,
        max_age=settings.max_age,
    )
    builder = check_statement(trusted.payload, expected, now)
    return f"built by {builder} ({', '.join(trusted.signers)})"


async def archive_digest(git: Git, commit: str) -> str:
    """SHA-256, in hex, of what `git archive --format=tar COMMIT` writes in the private clone."""
    with tempfile.TemporaryDirectory(prefix="swarm-archive-") as scratch:
        archive = Path(scratch) / "commit.tar"
        await git.patient(_ARCHIVE_TIMEOUT).run(
            "archive", "--format=tar", f"--output={archive}", commit
        )
        return await asyncio.to_thread(_digest, archive)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise Faulty(Fault.PROVENANCE_MISSING, f"there is no file {path}")
        with path.open("rb") as file:
            raw = file.read(ENVELOPE_BYTES + 1)
    except OSError as error:
        raise TrustFileUnusable(f"{path}: {error.strerror}") from error
    if len(raw) > ENVELOPE_BYTES:
        raise Faulty(Fault.ENVELOPE_TOO_LARGE, f"over {ENVELOPE_BYTES} bytes")
    return raw
