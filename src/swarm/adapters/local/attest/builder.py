"""A signing command: `python -m swarm.adapters.local.attest.builder --key FILE [...]`.

It is what `sign` in [attestations.NAME] may name where no other builder exists. It says of itself
only that it put a tag and a statement on a commit; a real build service replaces it one to one.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from swarm.adapters.local.attest.attestations import archive_digest
from swarm.adapters.local.attest.sign import put, seal, sign_tag, statement
from swarm.adapters.local.git.plumbing import Git
from swarm.contract.errors import SwarmError

BUILDER_ID = "https://swarm.proompteng.ai/builder/local/v1"
BUILD_TYPE = "https://swarm.proompteng.ai/build/commit/v1"


def main(argv: Sequence[str] | None = None) -> int:
    """Sign as the arguments say; exit 0 done, 1 refused or unavailable, 2 usage."""
    asked = _arguments(argv)
    try:
        asyncio.run(_sign(asked))
    except SwarmError as error:
        sys.stderr.write(f"{error.message}\nhint: {error.fix}\n")
        return 1
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    env = os.environ.get
    parser = argparse.ArgumentParser(prog="attest-builder", description=__doc__)
    parser.add_argument("--clone", default=env("SWARM_CLONE"), help="git directory")
    parser.add_argument("--commit", default=env("SWARM_COMMIT"), help="full commit id")
    parser.add_argument("--key", type=Path, help="SSH private key; signs a tag")
    parser.add_argument("--tag", default=env("SWARM_TAG"), help="name of that tag")
    parser.add_argument("--tagger", default="Swarm builder <builder@localhost>")
    parser.add_argument("--provenance-key", type=Path, help="Ed25519 PEM; signs provenance")
    parser.add_argument("--envelope", type=Path, default=env("SWARM_ENVELOPE"))
    parser.add_argument("--source", default=env("SWARM_SOURCE"), help="URI of the repository")
    parser.add_argument("--builder-id", default=BUILDER_ID)
    parser.add_argument("--build-type", default=BUILD_TYPE)
    asked = parser.parse_args(argv)
    if not asked.clone or not asked.commit:
        parser.error("--clone and --commit are needed, or SWARM_CLONE and SWARM_COMMIT")
    if not asked.key and not asked.provenance_key:
        parser.error("nothing to sign with: give --key, --provenance-key, or both")
    if asked.key and not asked.tag:
        parser.error("--key needs --tag or SWARM_TAG")
    if asked.provenance_key and not (asked.envelope and asked.source):
        parser.error("--provenance-key needs --envelope and --source")
    return asked


async def _sign(asked: argparse.Namespace) -> None:
    git = Git(Path(asked.clone))
    if asked.key:
        await sign_tag(git, asked.commit, asked.key, asked.tag, asked.tagger)
    if asked.provenance_key:
        said = statement(
            asked.commit,
            await archive_digest(git, asked.commit),
            (asked.builder_id, asked.build_type),
            asked.source,
            datetime.now(UTC),
        )
        await asyncio.to_thread(put, Path(asked.envelope), seal(said, [asked.provenance_key]))


if __name__ == "__main__":
    sys.exit(main())
