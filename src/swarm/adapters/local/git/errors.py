"""Everything that can go wrong between us and git, each with its remedy.

`Unavailable` means that we could not ask; `Refused` means that a person changes something first.
"""

from __future__ import annotations

from datetime import timedelta

from swarm.contract.errors import Refused, Unavailable

#: A person sits there and mends it, and looking at a repository on this machine costs little.
_WHILE_MENDED = timedelta(seconds=30)


class GitMissing(Unavailable):
    """There is no git program to call."""

    code = "SWM440"
    remedy = "Install git 2.38 or newer, so that `git version` answers."


class GitTooOld(Unavailable):
    """The git program is older than the merge machinery that we use."""

    code = "SWM441"
    remedy = "Install git 2.38 or newer: older versions cannot merge without a working tree."


class GitFailed(Unavailable):
    """A git call ended with an error that has no name of its own."""

    code = "SWM442"
    remedy = "Read git's own words in the message; disk full and missing rights are the usual ones."


class GitTimedOut(Unavailable):
    """A git call did not end in its time and was stopped."""

    code = "SWM443"
    remedy = "Look at the load and the disk of the machine; the work is tried again by itself."


class OutputTooLarge(Unavailable):
    """A git call wrote more than we read from one call."""

    code = "SWM444"
    remedy = "The repository or the patch is larger than Swarm handles; the message names the call."


class CloneBusy(Unavailable):
    """Another process has held the private clone's lock for too long."""

    code = "SWM445"
    remedy = "Look for a hanging `git` process; its end frees the lock."


class RepositoryUnknown(Refused):
    """An order names a repository that the installation file does not bind."""

    code = "SWM446"
    remedy = "Add a [repositories.NAME] table with `path` to swarm.toml."


class RepositoryUnreadable(Unavailable):
    """The path that a repository is bound to cannot be read as a git repository."""

    code = "SWM447"
    remedy = "Point `path` at the top folder of a git repository that this user may read."


class HeadDetached(Refused):
    """The repository's HEAD is on no branch, so no branch to protect follows from it."""

    code = "SWM448"
    remedy = "Set `branch` for this repository in swarm.toml, or check a branch out."


class MainUnborn(Unavailable):
    """The repository has no commit on the branch to protect yet."""

    ask_within = _WHILE_MENDED
    code = "SWM449"
    remedy = "Make a first commit on that branch, or name the one to protect as `branch`."


class BranchNameTaken(Refused):
    """The branch to protect has a name that belongs to our own change branches."""

    code = "SWM450"
    remedy = "Protect a branch that is not called `swarm` or `swarm/...`."


class MainDiverged(Unavailable):
    """The private main and the user's branch conflict, or what main is built on was rewritten."""

    ask_within = _WHILE_MENDED
    code = "SWM451"
    remedy = "Pull the private clone's branch into yours; the message gives the command."


class CloneForeign(Refused):
    """The private clone was made from another repository than the one that is bound now."""

    code = "SWM452"
    remedy = "Give the repository another name in swarm.toml, or remove the old private clone."


class CommitUnknown(Refused):
    """A commit that an order names is not in the private clone."""

    code = "SWM453"
    remedy = "The private clone was replaced; retry the mission, it starts from the new main."


class CheckoutTaken(Refused):
    """The folder for a checkout exists and is not empty."""

    code = "SWM454"
    remedy = "Name a fresh folder; a checkout never mixes with what is there."


class PushRefused(Refused):
    """The branch to push was changed by somebody else since we last pushed it, or he is on it."""

    code = "SWM455"
    remedy = "Rename or delete that branch in your repository; Swarm never overwrites it."


class FolderUnreadable(Unavailable):
    """The folder that an agent worked in is gone, or something still changes it."""

    code = "SWM456"
    remedy = "Look for processes that the agent left behind; the run is taken again by itself."


class LandingHeld(Unavailable):
    """A freeze, shadow or the mission's end came while a landing was being prepared."""

    code = "SWM457"
    remedy = "Nothing was moved; it lands by itself once what holds it is lifted."


class RepositoryPartial(Unavailable):
    """The repository is a partial clone: what it left at its remote cannot be read here."""

    ask_within = _WHILE_MENDED
    code = "SWM458"
    remedy = (
        "Bring the rest, in that repository: `git config --unset remote.origin.partialclonefilter`,"
        " then `git fetch --refetch --no-filter`."
    )
