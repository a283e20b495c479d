"""The command tree. Each verb is named here and imported only when it is used."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cyclopts import App, CycloptsError, UnknownCommandError, UnusedCliTokensError
from cyclopts.group import Group

from swarm import __version__
from swarm.cli.errors import EXIT_INTERRUPTED, FileUnreadable, InternalFault, Usage
from swarm.cli.output import MANNERS, colours, complain, line, visible
from swarm.contract.errors import SwarmError

# group -> verb -> (one line of help, where it lives when not swarm.cli.VERB:VERB)
_TREE: dict[str, dict[str, tuple[str, str]]] = {
    "Start": {
        "demo": ("Create a sample repository and run three real missions on this machine", ""),
        "init": ("Write swarm.toml and swarm.yaml for this repository", ""),
        "up": ("Start the database and the controller on this machine", ""),
        "down": ("Stop the controller, and the database if nobody else uses it", ""),
        "doctor": ("Check the machine, settings and policies; every finding has a fix", ""),
    },
    "Declare": {
        "apply": ("Create or update Swarms", ""),
        "diff": ("Show what apply would change", ""),
        "validate": ("Check a manifest offline", ""),
        "delete": ("Stop and remove a Swarm; its history is kept", ""),
        "explain": ("Explain a spec field, an error code, a reason or a whole manifest", ""),
        "crd": ("Print the CRD", ""),
    },
    "See": {
        "get": ("List swarms, needs, missions, runs, gates, freezes, approvals, ...", ""),
        "describe": ("Show everything about one object, and what happens next", ""),
        "watch": ("Watch missions go through their gates", ""),
        "events": ("Print the event log as lines or JSON lines", ""),
        "logs": ("Print the output of a mission's agent and checks", ""),
        "why": ("Explain why something was chosen, rejected, held or rolled back or left idle", ""),
        "trace": ("Show the chain of evidence of a commit, branch or mission", ""),
        "wait": ("Block until a mission reaches a state; the exit status tells which", ""),
    },
    "Decide": {
        "approve": ("Let a waiting mission proceed", ""),
        "reject": ("Turn down a waiting mission or a need", ""),
        "freeze": ("Stop dispatch, merge and promotion now", ""),
        "resume": ("Lift a freeze once its checklist is met", ""),
        "mission": ("Act on one mission: start, cancel, retry, promote, rollback", "mission:app"),
        "need": ("Edit the backlog by hand: add, reject, reopen, done", "need:app"),
    },
    "Learn": {
        "shadow": ("Only recommend, then compare with what people accepted", "shadow:app"),
        "drill": ("Break something on purpose, in a sandbox, and check the reaction", "drill:app"),
        "budget": ("Show what is spent, reserved and left, and what spends it", "budget:app"),
        "report": ("Print the daily review", ""),
        "audit": ("Verify the trail, or export decisions", "audit:app"),
    },
    "Quant": {
        "regime": ("Tell which regime a market is in: fit, replay, score, explain", "regime:app"),
        "capital": ("Show the capital ladder, or move a strategy one step", "capital:app"),
        "trading": (
            "Run the trading controls: limits, orders, kill, tokens, assessment",
            "trading:app",
        ),
    },
    "Extend": {
        "source": ("List sources, or read one once", "source:app"),
        "agent": ("List agents, or try one on a scratch clone", "agent:app"),
        "completion": ("Print the completion script for a shell", ""),
        "version": ("Print versions", ""),
    },
}
LINE_MOST = 1_000  #: characters of one line of an error
_HELP = {"--help", "-h"}
_QUIET, _PLAIN = "--quiet", "--progress=plain"
_EVERYWHERE = (
    f"Every verb also takes {_QUIET} (print only data, warnings and errors) and {_PLAIN} "
    "(never redraw the screen)."
)
_FIRST_STEPS = "Start with `swarmctl demo`; then `cd your-repository && swarmctl init`."
_ROOM = "Free space on the disk that is written to, or write to another."
VERBS = tuple(verb for verbs in _TREE.values() for verb in verbs)


def make_app(arguments: Sequence[str] = ()) -> App:
    """The root of the tree. Nothing of a verb is imported here, unless its help is asked for.

    The verb that was called shows its own text as help, instead of its line of the list.
    """
    verb = arguments[0] if arguments else ""
    app = App(
        name=program(),
        help="Ships software around the clock: one object, six machine gates, your machine.",
        version=f"swarmctl {__version__}",
        help_format="plaintext",
        suppress_keyboard_interrupt=False,
    )
    if not arguments or _HELP.intersection(arguments):
        # Set only here: the formatters bring Rich along.
        app.help_formatter = "default" if colours() else "plain"
        app.help_epilogue = _EVERYWHERE if verb in VERBS else f"{_EVERYWHERE}\n\n{_FIRST_STEPS}"
        _unwrap(verb)
    alone = verb in VERBS and not _HELP.intersection(arguments)
    for order, (title, verbs) in enumerate(_TREE.items()):
        if alone and verb not in verbs:
            continue  # nothing asks for the others
        group = Group(title, sort_key=order)
        for number, (name, (words, place)) in enumerate(verbs.items()):
            if alone and name != verb:
                continue
            app.command(
                f"swarm.cli.{place or f'{name}:{name}'}",
                name=name,
                help=None if name == verb else words,
                group=group,
                sort_key=number,
            )
    return app


def _unwrap(verb: str) -> None:
    """Make each paragraph of a verb's texts one line: the help is wrapped to the screen anyway."""
    places = {name: place for verbs in _TREE.values() for name, (_, place) in verbs.items()}
    if verb not in places:
        return
    import importlib  # noqa: PLC0415
    import inspect  # noqa: PLC0415

    module, _, name = (places[verb] or f"{verb}:{verb}").partition(":")
    target = getattr(importlib.import_module(f"swarm.cli.{module}"), name)
    for function in _functions(target):
        paragraphs = inspect.cleandoc(function.__doc__ or "").split("\n\n")
        function.__doc__ = "\n\n".join(" ".join(text.split("\n")) for text in paragraphs)


def _functions(target: Any) -> Iterator[Any]:
    """What a verb runs: itself, or everything below it."""
    if not isinstance(target, App):
        yield target
        return
    if target.default_command is not None:
        yield target.default_command
    for name in target:
        if name[0] != "-":
            yield from _functions(target[name].default_command or target[name])


def program() -> str:
    """What people typed: `kubectl swarm` when it was called as the plugin that it also is."""
    return "kubectl-swarm" if Path(sys.argv[0]).name == "kubectl-swarm" else "swarmctl"


def run(arguments: list[str]) -> int:
    """Run one command; every error ends with its remedy. Returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A terminal that cannot show a character gets its number instead of a crash.
            stream.reconfigure(errors="backslashreplace")
    try:
        return _run(_mannered(arguments))
    except SwarmError as error:
        complain(f"error {error.code}: {_fit(error.message)}")
        complain(f"fix:  {_fit(error.fix)}")
        complain(f"more: {program()} explain {error.code}")
        return error.exit_code
    except KeyboardInterrupt:
        # A terminal has shown ^C, perhaps behind a line that was being drawn.
        complain("\ninterrupted" if sys.stderr.isatty() else "interrupted")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader left (`| head`): nothing is wrong, and nothing more can be said.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _mannered(arguments: list[str]) -> list[str]:
    """The arguments without those that say how to talk; they stand anywhere before a `--`."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    asked = set(arguments[:end])
    MANNERS.quiet, MANNERS.plain = _QUIET in asked, _PLAIN in asked
    return [
        word
        for number, word in enumerate(arguments)
        if number >= end or word not in {_QUIET, _PLAIN}
    ]


def _fit(text: str) -> str:
    """A message as it is, but for lines that nobody would read: a huge argument, a database's."""
    lines = visible(text).splitlines()
    return "\n".join(one if len(one) <= LINE_MOST else f"{one[:LINE_MOST]}…" for one in lines)


def _run(arguments: list[str]) -> int:
    """The same with errors of every origin as ours."""
    try:
        _refuse_bytes(arguments)
        result = make_app(arguments)(
            arguments, exit_on_error=False, print_error=False, result_action="return_value"
        )
        sys.stdout.flush()
    except UnknownCommandError as error:
        raise _unknown(error) from error
    except CycloptsError as error:
        raise _misused(error) from error
    except (SwarmError, KeyboardInterrupt, BrokenPipeError):
        raise
    except OSError as error:
        where = error.filename or "a file"
        remedy = _ROOM if error.errno in {errno.ENOSPC, errno.EDQUOT} else None
        raise FileUnreadable(f"{where}: {error.strerror or error}", remedy=remedy) from error
    except Exception as error:
        if os.environ.get("SWARM_DEBUG"):
            raise
        raise _fault(error) from error
    return result if isinstance(result, int) and not isinstance(result, bool) else 0


def _refuse_bytes(arguments: list[str]) -> None:
    for number, argument in enumerate(arguments, 1):
        if not argument.isascii() and "\\udc" in ascii(argument):
            raise Usage(f"argument {number} is no UTF-8 text: {line(argument[:60])}")


def _unknown(error: UnknownCommandError) -> Usage:
    """Our own words: the library's would import every verb to suggest one."""
    import difflib  # noqa: PLC0415

    word = (error.unused_tokens or ["?"])[0]
    known, asked = list(VERBS), ""
    if error.app is not None and error.app.name[0] in VERBS:
        asked = f"{error.app.name[0]} "
        known = [name for name in error.app if not name.startswith("-")]
    near = difflib.get_close_matches(word, known, n=1)
    meant = f"; did you mean `{asked}{near[0]}`?" if near else ""
    remedy = f"`{program()} {asked}--help` lists them: {', '.join(known)}."
    return Usage(f"there is no command `{asked}{line(word[:60])}`{meant}", remedy=remedy)


def _misused(error: CycloptsError) -> Usage:
    command = " ".join((program(), *(error.command_chain or ())))
    told = str(error)
    if isinstance(error, UnusedCliTokensError):
        told = f"`{command}` does not take {' '.join(map(repr, error.unused_tokens or ()))}"
    return Usage(line(told), remedy=f"`{command} --help` says what it takes, with an example.")


def _fault(error: Exception) -> InternalFault:
    import traceback  # noqa: PLC0415

    last = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(last.filename).name}:{last.lineno}"
    return InternalFault(f"{type(error).__name__} at {where}: {error}")
