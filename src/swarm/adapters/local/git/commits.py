"""Commits that the controller writes: the same inputs give the same id, and trailers say why."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from swarm.adapters.local.git.errors import CommitUnknown
from swarm.adapters.local.git.plumbing import Git
from swarm.core.policy.intake_text import printable

MISSION = "Swarm-Mission"
RUN = "Swarm-Run"
ATTEMPT = "Swarm-Attempt"
REVERTS = "Swarm-Reverts"

#: The longest title that most tools show in one line.
TITLE_LENGTH = 72

#: The last day that a datetime holds, in seconds since the epoch.
_LATEST = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp())

_OBJECT_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """What we need to know of a commit. Trailers count only in the last paragraph."""

    id: str
    tree: str
    parents: tuple[str, ...]
    at: datetime
    trailers: tuple[tuple[str, str], ...]
    message: str

    def trailer(self, name: str) -> str:
        """The value of a trailer, or "" when the commit has none of that name."""
        return next((value for key, value in self.trailers if key == name), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who a commit names, and when; seconds are kept, parts of a second are not."""

    name: str
    email: str
    at: datetime

    def environment(self) -> dict[str, str]:
        """The variables from which git takes author and committer."""
        date = f"@{int(self.at.timestamp())} +0000"
        return {
            f"GIT_{role}_{part}": value
            for role in ("AUTHOR", "COMMITTER")
            for part, value in (("NAME", self.name), ("EMAIL", self.email), ("DATE", date))
        }


def one_line(text: str, length: int = TITLE_LENGTH) -> str:
    """Text from outside as one visible line: nothing in it can become a trailer or an escape."""
    flat = " ".join(printable(" ".join(text.split())).split())
    return flat if len(flat) <= length else f"{flat[: length - 3].rstrip()}..."


def message(title: str, trailers: Sequence[tuple[str, str]], body: str = "") -> str:
    """A commit message of title, optional body and trailers, each neutralised."""
    paragraphs = [one_line(title) or "Change"]
    if body:
        paragraphs.append(one_line(body, 500))
    paragraphs.append("\n".join(f"{key}: {one_line(value, 200)}" for key, value in trailers))
    return "\n\n".join(paragraphs) + "\n"


def is_object_id(text: str) -> bool:
    """True for a full object id in either hash; nothing shorter or symbolic is ever accepted."""
    return _OBJECT_ID.fullmatch(text) is not None


async def write_commit(
    git: Git, tree: str, parents: Sequence[str], text: str, author: Author
) -> str:
    """Write a commit object and give its id; no ref moves."""
    flags = [part for parent in parents for part in ("-p", parent)]
    writer = git.with_environment(**author.environment())
    return (await writer.run("commit-tree", tree, *flags, stdin=text.encode())).text


async def read_commit(git: Git, commit: str) -> Commit:
    """Read a commit by its full id. Raises CommitUnknown when it is not there."""
    if not is_object_id(commit):
        raise CommitUnknown(f"{printable(commit[:80])!r} is no full commit id")
    form = "%T%x00%P%x00%ct%x00%(trailers:only=true,unfold=true)%x00%B"
    kind = await git.run("cat-file", "-t", commit, ok=(0, 128))
    if kind.code or kind.text != "commit":
        raise CommitUnknown(f"commit {commit} is not in {git.folder}")
    said = await git.run("log", "-1", "--no-show-signature", f"--format={form}", commit, "--")
    tree, parents, seconds, trailers, text = said.text.split("\0", 4)
    pairs = [line.partition(": ") for line in trailers.splitlines()]
    return Commit(
        id=commit,
        tree=tree,
        parents=tuple(parents.split()),
        # Some tools date their commits in milliseconds, and git takes any number.
        at=datetime.fromtimestamp(min(int(seconds), _LATEST), UTC),
        trailers=tuple((key, value) for key, _, value in pairs),
        message=text,
    )


async def is_ancestor(git: Git, older: str, newer: str) -> bool:
    """True when `newer` is `older` or contains it."""
    return (await git.run("merge-base", "--is-ancestor", older, newer, ok=(0, 1))).code == 0
