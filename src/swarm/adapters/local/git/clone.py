"""The private bare clone of one repository: its making, its refs, its way of following the user.

The rule by which protected main follows the user's branch, in one sentence: main takes over the
user's branch whenever nothing of ours would be lost by it, and otherwise waits for the user.

- The user's branch contains main (nothing landed since, or he pulled it): main moves there.
- Nothing of ours is on main since we last looked (he may have rewritten his history): likewise.
- The user's branch is contained in main (ours landed, he has not pulled): main stays.
- Both have what the other lacks, and it merges cleanly: main joins the two (decision 0025).
- It conflicts, or he rewrote his history: `MainDiverged`, with the command that mends it.

Uncommitted work in the user's working copy is none of our business: only commits are read.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shlex
import shutil
import tempfile
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

from swarm.adapters.local.git import asked, lock, scratch
from swarm.adapters.local.git.commits import is_ancestor
from swarm.adapters.local.git.errors import (
    BranchNameTaken,
    CloneForeign,
    GitFailed,
    HeadDetached,
    MainDiverged,
    MainUnborn,
    PushRefused,
    RepositoryPartial,
    RepositoryUnreadable,
)
from swarm.adapters.local.git.join import join
from swarm.adapters.local.git.plumbing import Git, require_git
from swarm.adapters.local.git.settings import RepositorySettings
from swarm.core.policy.intake_text import printable

#: Where the user's branch stood when main last took it over; and where a fetch puts it first.
ADOPTED = "refs/swarm/adopted"
INCOMING = "refs/swarm/incoming"
PUSHED = "refs/swarm/pushed/"

#: A first fetch copies the whole history.
FETCH_TIMEOUT = timedelta(minutes=30)
LOCK_WAIT = timedelta(seconds=60)

#: Files are kept byte for byte: no line-end, keyword or encoding conversion, no drivers.
ATTRIBUTES = (
    "* -text -ident -filter !eol !working-tree-encoding !merge !diff -export-ignore -export-subst\n"
)

#: What runs in the user's repository: none of his hooks, whoever owns the folder.
_THEIR_SIDE = "git -c core.hooksPath=/dev/null -c safe.directory=* -c receive.autogc=false "


class PrivateClone:
    """One repository's private clone below `data`. Safe to use from many processes at once."""

    def __init__(self, name: str, settings: RepositorySettings, data: Path) -> None:
        self.name = name
        self.settings = settings
        self.folder = data / f"{_file_name(name)}.git"
        self.git = Git(self.folder)
        self._source = settings.path
        self._main = ""

    async def open(self) -> None:
        """Make the clone unless it is there. Raises when the source cannot be read or followed."""
        if not self._main:
            await require_git()
            if not (self.folder / "HEAD").exists():
                await self._create()
            await self._check()

    async def tip(self) -> str:
        """Where protected main stands, without a look at the user's repository."""
        await self.open()
        return await self.read(self._main)

    async def follow(self) -> str:
        """Look at the user's branch and give main's tip. Raises MainUnborn or MainDiverged."""
        await self.open()
        for _ in range(3):
            theirs = await self._their_tip()
            main, adopted = await self.read(self._main), await self.read(ADOPTED)
            if theirs == adopted and main:
                return main
            theirs = await self._fetch(theirs)
            if main and await is_ancestor(self.git, theirs, main):
                await self.move(ADOPTED, theirs, adopted)
                return main
            taken = theirs
            if main and main != adopted and not await is_ancestor(self.git, main, theirs):
                taken = await self._joined(main, theirs, adopted)
            if await self.move(self._main, taken, main):
                await self.move(ADOPTED, theirs, adopted)
                return taken
        raise GitFailed(f"main of {self.name!r} kept moving while it was read")

    async def compared(self) -> tuple[str, int]:
        """Follow, and give main's tip and how many of its commits the user's branch lacks."""
        tip = await self.follow()
        said = await self.git.run("rev-list", "--count", f"{ADOPTED}..{tip}")
        return tip, int(said.text)

    @property
    def pulling(self) -> str:
        """The command that takes main over into the user's branch; main is known by then."""
        branch = self._main.removeprefix("refs/heads/")
        return printable(f"git pull --no-rebase {shlex.quote(str(self.folder))} {branch}")

    async def knows(self, commit: str) -> bool:
        """Whether a commit is here, or where it can be had from: in the user's repository."""
        asked = ("cat-file", "-e", f"{commit}^{{commit}}")
        here = await self.git.run(*asked, ok=(0, 1, 128))
        if here.code == 0:
            return True
        return await self._lies_there(commit)

    async def _lies_there(self, commit: str) -> bool:
        asked = ("-C", str(self._source), "cat-file", "-e", f"{commit}^{{commit}}")
        return (await Git().run(*asked, ok=(0, 1, 128))).code == 0

    async def read(self, ref: str) -> str:
        """The full id a ref points at, or "" when there is no such ref."""
        said = await self.git.run(
            "rev-parse", "--verify", "--quiet", "--end-of-options", ref, ok=(0, 1)
        )
        return said.text if said.code == 0 else ""

    async def move(self, ref: str, new: str, old: str) -> bool:
        """Compare-and-swap: `ref` becomes `new` if it still is `old` ("" means absent)."""
        async with self.writing(ref) as git:
            return await self._swap(git, ref, new, old)

    async def _swap(self, git: Git, ref: str, new: str, old: str) -> bool:
        zero = "0" * len(new)
        said = await git.run("update-ref", "--no-deref", ref, new, old or zero, ok=(0, 1, 128))
        if said.code == 0:
            return True
        if await self.read(ref) == old:
            # Not the comparison failed but the writing: a full disk, a name that is a folder.
            raise GitFailed(f"{ref} could not be written in {self.folder}")
        return False

    async def move_main(self, new: str, old: str, fence: int | None = None) -> bool:
        """Compare-and-swap protected main; to a change under the fence of its claim.

        Raises LandingHeld: that change was asked after under a newer one.
        """
        await self.open()
        async with self.writing(self._main) as git:
            await asked.admit(git, new, fence)
            return await self._swap(git, self._main, new, old)

    @contextlib.asynccontextmanager
    async def writing(self, *refs: str) -> AsyncIterator[Git]:
        """Hold the clone's lock; the git that is given keeps it alive in its children."""
        path = self.folder.with_suffix(".lock")
        async with lock.writing(path, LOCK_WAIT) as held:
            await lock.sweep(self.folder, refs)
            yield self.git.holding(held)

    async def push(self, branch: str) -> None:
        """Show a change branch in the user's repository, where the settings ask for it.

        Nothing that somebody else put there is overwritten: PushRefused. Repeating is harmless.
        """
        if self.settings.push == "never":
            return
        new, known = await self.read(f"refs/heads/{branch}"), await self.read(PUSHED + branch)
        target = f"refs/heads/{branch}"
        there = (await self._ask(target)).get(target, "")
        if there != new:
            if there != known:
                raise PushRefused(f"{branch!r} in {self._source} is {there or 'gone'}, not ours")
            sender = self.git.with_environment(GIT_ALLOW_PROTOCOL="file").patient(FETCH_TIMEOUT)
            try:
                await sender.run(
                    "push",
                    "--quiet",
                    "--no-verify",
                    f"--force-with-lease={target}:{known}",
                    f"--receive-pack={_THEIR_SIDE}receive-pack",
                    str(self._source),
                    f"{new}:{target}",
                )
            except GitFailed as error:
                if "currently checked out" not in error.message:
                    raise
                raise PushRefused(
                    f"{branch!r} is checked out in {self._source}",
                    remedy="Check another branch out there; it is pushed by itself then.",
                ) from error
        await self.move(PUSHED + branch, new, known)

    async def tidy(self, loose: int = 6700) -> None:
        """Pack what many missions left, once about `loose` objects lie about (git's own number).

        Costs some milliseconds when there is nothing to do. Objects that nothing refers to are
        kept for two weeks, longer than any work lasts.
        """
        async with self.writing() as git:
            await git.patient(FETCH_TIMEOUT).run(
                "-c", f"gc.auto={loose}", "-c", "gc.autoDetach=false", "gc", "--auto", "--quiet"
            )

    async def theirs(self) -> tuple[str, str]:
        """The user's branch that main follows, and its tip; asks his repository, changes nothing.

        Raises RepositoryUnreadable, HeadDetached or MainUnborn.
        """
        branch = self.settings.branch
        if not branch and (self.folder / "HEAD").exists():
            branch = await self._head()
        if not branch:
            heads = await self._ask("HEAD")
            if "HEAD" not in heads:
                raise MainUnborn(f"{self._source} has no commit yet")
            if "HEAD->" not in heads:
                told = f"HEAD of {self._source} is on no branch, and `branch` is not set"
                raise HeadDetached(told)
            branch = heads["HEAD->"]
        return branch, await self._their_tip(branch)

    async def _head(self) -> str:
        """The branch that the clone was made for."""
        return (await self.git.run("symbolic-ref", "HEAD")).text.removeprefix("refs/heads/")

    async def _create(self) -> None:
        branch, tip = await self.theirs()
        self.folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        await asyncio.to_thread(scratch.sweep, self.folder.parent, ".new-")
        fresh = Path(tempfile.mkdtemp(prefix=".new-", dir=self.folder.parent))
        git = Git(fresh)
        try:
            await git.run(
                *("init", "--quiet", "--bare", "--template="),
                f"--object-format={'sha256' if len(tip) == 64 else 'sha1'}",  # noqa: PLR2004
                f"--initial-branch={branch}",
            )
            (fresh / "info").mkdir(exist_ok=True)
            (fresh / "info" / "attributes").write_text(ATTRIBUTES)
            await git.run("config", "swarm.source", str(self._source))
            with contextlib.suppress(OSError):
                os.rename(fresh, self.folder)  # noqa: PTH104 - Path.rename would say the same
        finally:
            # Gone when it was renamed; otherwise another process was faster, or git failed.
            shutil.rmtree(fresh, ignore_errors=True)

    async def _check(self) -> None:
        source = (await self.git.run("config", "--get", "swarm.source", ok=(0, 1))).text
        if source != str(self._source):
            await self._move_along(source)
        main = f"refs/heads/{self.settings.branch or await self._head()}"
        if f"{main}/".startswith("refs/heads/swarm/"):
            raise BranchNameTaken(f"{main.removeprefix('refs/heads/')!r} cannot be protected")
        self._main = main
        await asyncio.to_thread(scratch.sweep, self.folder, scratch.PREFIX)
        if not await self.read(main):
            try:
                await self._take_new_name(main)
                await self.follow()
            except BaseException:
                self._main = ""
                raise

    async def _move_along(self, source: str) -> None:
        """Go on with a repository that now has another path. Raises CloneForeign for another one.

        It is the same when its old path leads to it, or to nothing and it has what we saw last.
        """
        same = _leads_to(Path(source), self._source)
        if same is None:
            seen = await self.read(ADOPTED)
            same = not seen or await self._lies_there(seen)
        if not same:
            raise CloneForeign(f"{self.folder} was made from {source!r}, not from {self._source}")
        async with self.writing() as git:
            await git.run("config", "swarm.source", str(self._source))

    async def _take_new_name(self, main: str) -> None:
        """Where the user renamed his branch, rename ours: what landed stays on main."""
        before = f"refs/heads/{await self._head()}"
        if before == main or before in await self._ask(before):
            return
        async with self.writing(before, main) as git:
            if await self.read(before):
                names = (ref.removeprefix("refs/heads/") for ref in (before, main))
                await git.run("branch", "--move", *names)

    async def _their_tip(self, branch: str = "") -> str:
        ref = f"refs/heads/{branch}" if branch else self._main
        found = (await self._ask(ref)).get(ref, "")
        if not found:
            name = ref.removeprefix("refs/heads/")
            raise MainUnborn(f"{self._source} has no commit on a branch {name!r}")
        return found

    async def _ask(self, ref: str) -> dict[str, str]:
        """What the user's repository says of a ref: `{ref: id}`, and `HEAD->` for HEAD's branch."""
        git = Git().with_environment(GIT_ALLOW_PROTOCOL="file")
        if not self._source.is_dir():
            raise RepositoryUnreadable(f"{self._source} is no folder")
        try:
            said = await git.run(
                "ls-remote",
                "--symref",
                f"--upload-pack={_THEIR_SIDE}upload-pack",
                str(self._source),
                ref,
            )
        except GitFailed as error:
            raise RepositoryUnreadable(f"{self._source}: {error.message}") from error
        found = {}
        for line in said.text.splitlines():
            value, _, name = line.partition("\t")
            if value.startswith("ref: refs/heads/"):
                found["HEAD->"] = value.removeprefix("ref: refs/heads/")
            else:
                found[name] = value
        return found

    async def _fetch(self, commit: str) -> str:
        """Bring the user's branch here; gives its tip, which may be newer than `commit`."""
        there = await self.git.run("cat-file", "-e", f"{commit}^{{commit}}", ok=(0, 1, 128))
        if there.code == 0 and await self._complete(commit):
            return commit
        async with self.writing(INCOMING) as git:
            fetcher = git.with_environment(GIT_ALLOW_PROTOCOL="file").patient(FETCH_TIMEOUT)
            try:
                await fetcher.run(
                    "fetch",
                    "--quiet",
                    "--no-tags",
                    "--no-write-fetch-head",
                    "--no-auto-maintenance",
                    "--no-recurse-submodules",
                    "--update-shallow",
                    f"--upload-pack={_THEIR_SIDE}upload-pack",
                    str(self._source),
                    f"+{self._main}:{INCOMING}",
                )
            except GitFailed as error:
                if "promisor remote" not in error.message:
                    raise
                raise RepositoryPartial(f"{self._source} is a partial clone") from error
        return await self.read(INCOMING)

    async def _complete(self, commit: str) -> bool:
        """True when a ref of ours holds the commit, so that its whole history is here."""
        refs = (self._main, ADOPTED, INCOMING)
        said = await self.git.run("for-each-ref", "--count=1", "--contains", commit, *refs)
        return bool(said.text)

    async def _joined(self, main: str, theirs: str, adopted: str) -> str:
        """The commit that has both lines of work. Raises MainDiverged."""
        if not adopted or not await is_ancestor(self.git, adopted, theirs):
            # Joining would bring back what he took out of his history.
            raise self._diverged(main, theirs, "his history was rewritten")
        commit = await join(self.git, self.settings, main, theirs)
        if not commit:
            raise self._diverged(main, theirs, "they conflict")
        return commit

    def _diverged(self, main: str, theirs: str, why: str) -> MainDiverged:
        branch = self._main.removeprefix("refs/heads/")
        return MainDiverged(
            f"{branch!r} of {self._source} is at {theirs[:12]}, the private main at {main[:12]}; "
            f"each has commits that the other lacks, and {why}",
            remedy=f"In {printable(str(self._source))}: {self.pulling}",
        )


def _leads_to(path: Path, folder: Path) -> bool | None:
    """Whether both are one folder; None where the path leads to no repository any more."""
    if not ((path / ".git").exists() or (path / "HEAD").exists()):
        return None
    return folder.exists() and path.samefile(folder)


def _file_name(name: str) -> str:
    """A file name for any repository name; two names never share one."""
    plain = quote(name, safe="")
    if len(plain) <= 150 and not plain.startswith("."):  # noqa: PLR2004 - file names end at 255
        return plain
    return f"{plain[:100].lstrip('.')}-{hashlib.sha256(name.encode()).hexdigest()[:20]}"
