"""What the installation file says about the attestations of one repository."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

_Text = Annotated[str, Field(min_length=1, max_length=500)]
_STRICT = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class ProvenanceSettings(BaseModel):
    """A DSSE envelope with an in-toto statement that holds SLSA provenance v1."""

    model_config = _STRICT

    envelope: Path
    """Path of the envelope; `{commit}` stands for the full commit id."""

    keys: Annotated[tuple[Path, ...], Field(min_length=1, max_length=16)]
    """PEM files of trusted public keys: Ed25519, or ECDSA on P-256 or P-384."""

    revoked_keys: Annotated[tuple[Path, ...], Field(max_length=100)] = ()
    """PEM files of public keys that are trusted no more. They win over `keys`."""

    signers: Annotated[int, Field(ge=1, le=16)] = 1
    """How many different trusted keys must have signed."""

    builders: Annotated[tuple[_Text, ...], Field(min_length=1, max_length=100)]
    """Accepted values of `runDetails.builder.id`, compared exactly."""

    build_types: Annotated[tuple[_Text, ...], Field(min_length=1, max_length=100)]
    """Accepted values of `buildDefinition.buildType`, compared exactly."""

    source: _Text
    """URI of the source repository, as `resolvedDependencies` must name it."""

    archive: bool = False
    """Whether the subject must also carry the SHA-256 of `git archive --format=tar COMMIT`, run
    in the private clone, where no attribute leaves a file out or converts one."""

    max_age: Annotated[timedelta, Field(gt=timedelta(0))] | None = None
    """How long after `finishedOn` it is accepted. Left out: for ever."""

    def envelope_of(self, commit: str) -> Path:
        """The file with the provenance of one commit."""
        return Path(str(self.envelope).replace("{commit}", commit))

    @model_validator(mode="after")
    def _names_the_commit(self) -> Self:
        if "{commit}" not in str(self.envelope):
            msg = "envelope must contain {commit}: one file cannot stand for every commit"
            raise ValueError(msg)
        if self.signers > len(self.keys):
            msg = f"signers is {self.signers}, but only {len(self.keys)} keys are trusted"
            raise ValueError(msg)
        return self


class AttestationSettings(BaseModel):
    """Gate 4 of one repository: a signed tag, signed provenance, or both.

    Whatever is configured must verify. A repository without this table reads "not configured".
    """

    model_config = _STRICT

    sign: Annotated[tuple[_Text, ...], Field(max_length=100)] = ()
    """Command that makes what is missing, run once the change may be merged. `{commit}`,
    `{clone}` (the private clone's git directory), `{checkout}` (a folder with the commit's files)
    and `{python}` are filled in; SWARM_COMMIT, SWARM_CLONE, SWARM_TAG, SWARM_ENVELOPE and
    SWARM_SOURCE say the same. Left out: somebody else signs beforehand, and what is missing is
    refused."""

    sign_timeout: Annotated[timedelta, Field(gt=timedelta(0), le=timedelta(hours=2))] = timedelta(
        minutes=10
    )
    """How long that command may take; ten minutes sign anything and build small things."""

    environment: Annotated[tuple[_Text, ...], Field(max_length=100)] = ()
    """Names of further environment variables that the command may see, beside PATH, HOME, LANG."""

    allowed_signers: Path | None = None
    """Asks for a tag signed by SSH, and names the file of trusted keys: one `principal [options]
    key` a line, see ssh-keygen(1), ALLOWED SIGNERS. `valid-before` in it ends a key."""

    principals: Annotated[tuple[_Text, ...], Field(max_length=100)] = ()
    """Who of that file may sign here, as names or globs. Left out: everybody in it."""

    revoked_signers: Path | None = None
    """A key revocation list, or a file of public keys, that are trusted no more."""

    tag: Annotated[str, Field(pattern=r"^[A-Za-z0-9._/{}-]+$", max_length=200)] = (
        "attested/{commit}"
    )
    """Name of the signed tag; `{commit}` stands for the full commit id."""

    provenance: ProvenanceSettings | None = None
    """Asks for signed provenance."""

    @model_validator(mode="after")
    def _asks_for_something(self) -> Self:
        if self.allowed_signers is None and self.provenance is None:
            msg = "needs allowed_signers or provenance; leave the table out to attest nothing"
            raise ValueError(msg)
        if "{commit}" not in self.tag:
            msg = "tag must contain {commit}: one tag cannot stand for every commit"
            raise ValueError(msg)
        return self
