"""The command tree. Each verb is named here and imported only when it is used."""

from __future__ import annotations

import os
import sys

from cyclopts import App, CycloptsError
from cyclopts.group import Group

from swarm import __version__
from swarm.cli.errors import EXIT_INTERRUPTED, EXIT_USAGE
from swarm.cli.output import say
from swarm.contract.errors import SwarmError

# group -> verb -> (one line of help, where it lives when not swarm.cli.VERB:VERB)
_TREE: dict[str, dict[str, tuple[str, str]]] = {
    "Start": {
        "demo": ("Create a sample repository and run three real missions on this machine", ""),
        "init": ("Write swarm.toml and swarm.yaml for this repository", ""),
        "up": ("Start database and controller on this machine", ""),
        "down": ("Stop them", ""),
        "doctor": ("Check machine, settings and policies; every finding has a fix", ""),
    },
    "Declare": {
        "apply": ("Create or change Swarms", ""),
        "diff": ("Show what apply would change", ""),
        "validate": ("Check a manifest offline", ""),
        "delete": ("Stop and remove a Swarm; its history stays", ""),
        "explain": ("Explain a spec field, an error code, or a whole manifest with -f", ""),
        "crd": ("Print the CRD", ""),
    },
    "See": {
        "get": ("List swarms, needs, missions, runs, gates, freezes, approvals, ...", ""),
        "describe": ("Everything about one object, with what happens next", ""),
        "watch": ("Live view of missions and gates", ""),
        "events": ("The event log as lines or JSON lines", ""),
        "logs": ("Agent and check output of a mission", ""),
        "why": ("Why a need or mission was chosen, rejected, held or rolled back", ""),
        "trace": ("The chain of evidence of a commit or mission", ""),
        "wait": ("Block until a mission reaches a state; exit by outcome", ""),
    },
    "Decide": {
        "approve": ("Let a waiting mission go on", ""),
        "reject": ("Turn a waiting mission or a need down", ""),
        "freeze": ("Stop dispatch, merge and promotion now", ""),
        "resume": ("Lift a freeze when its checklist is met", ""),
        "mission": ("Act on one mission: cancel, retry, promote, rollback", "mission:app"),
        "need": ("Feed or prune the backlog by hand: add, reject", "need:app"),
    },
    "Learn": {
        "shadow": ("Recommend only, then compare with what people accepted", "shadow:app"),
        "budget": ("Spent, reserved, left, and who spends", ""),
        "report": ("The daily review", ""),
        "audit": ("Verify the trail, or export decisions", "audit:app"),
    },
    "Extend": {
        "source": ("List sources, or read one once", "source:app"),
        "agent": ("List agents, or try one on a scratch clone", "agent:app"),
        "completion": ("Print the completion script for a shell", ""),
        "version": ("Print versions", ""),
    },
}


def make_app() -> App:
    """The root of the tree. Nothing of a verb is imported here."""
    app = App(
        name="swarmctl",
        help="Ships software around the clock: one object, six machine gates, your machine.",
        help_epilogue="Start with `swarmctl demo`; then `cd your-repository && swarmctl init`.",
        version=__version__,
        help_format="plaintext",
    )
    for order, (title, verbs) in enumerate(_TREE.items()):
        group = Group(title, sort_key=order)
        for number, (verb, (line, place)) in enumerate(verbs.items()):
            where = f"swarm.cli.{place or f'{verb}:{verb}'}"
            app.command(where, name=verb, help=line, group=group, sort_key=number)
    return app


def run(arguments: list[str]) -> int:
    """Run one command; every error ends with its remedy. Returns the exit code."""
    app = make_app()
    try:
        result = app(
            arguments, exit_on_error=False, print_error=False, result_action="return_value"
        )
    except CycloptsError as error:
        _tell(f"swarmctl: {error}", "hint: swarmctl --help")
        return EXIT_USAGE
    except SwarmError as error:
        _tell(f"error {error.code}: {error.message}", f"fix:  {error.fix}")
        _tell(f"more: swarmctl explain {error.code}")
        return error.exit_code
    except KeyboardInterrupt:
        _tell("interrupted")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader left (`| head`): nothing is wrong, and nothing more can be said.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return result if isinstance(result, int) else 0


def _tell(*lines: str) -> None:
    for line in lines:
        say(line)
