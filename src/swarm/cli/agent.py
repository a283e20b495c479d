"""`swarmctl agent`: list agents, or try one on a scratch clone."""

from __future__ import annotations

import asyncio
import dataclasses
import sys
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from swarm.cli.columns import columns, money
from swarm.cli.complete import agents, repositories
from swarm.cli.desk import home_of
from swarm.cli.errors import EXIT_BAD_OUTCOME, EXIT_DONE, NotBound, Usage
from swarm.cli.options import Home, Output
from swarm.cli.output import Form, emit, line, say, show, show_one, visible
from swarm.cli.presence import missing_program, missing_variables
from swarm.contract.counted import counted

if TYPE_CHECKING:
    from swarm.core.nouns import Brief
    from swarm.runtime.settings import Settings
    from swarm.runtime.tryout import Trial

app = App(name="agent", help="List agents, or try one on a scratch clone.")
GOAL = "Make one small change that is safe and makes this repository better."
_COLUMNS = columns(
    ("NAME", "name"), ("READY", "ready"), ("COMMAND", "command"), ("CLASSES", "classes"),
    ("RULES", "rules"), ("EXPECTED", "expected_cost"), ("CAP", "cost_cap"), ("LACKS", "lacks"),
)  # fmt: skip


@app.command(name="list")
def list_(*, output: Output = Form.TABLE, home: Home = None) -> None:
    """List the agents that swarm.toml binds, in the order in which they are asked. Starts none.

    An agent is ready when its program is on PATH and one of its keys is set here; a controller
    that was started elsewhere may have another environment.

    Exit status: 0; 1 swarm.toml is refused; 5 no installation here.

    Example: swarmctl agent list
    """
    from swarm.runtime.settings import load  # noqa: PLC0415 - pays for the settings only here

    rows = rows_of(load(home_of(home).file))
    if not rows and output.for_people:
        say("No agents. Bind one in swarm.toml, [agents.NAME]; docs/SETTINGS.md lists its fields.")
        return
    show(rows, _COLUMNS, output, kind="Agent")


def rows_of(settings: Settings) -> list[dict[str, Any]]:
    """Every agent with what it takes and what it lacks on this machine."""
    rows = []
    for name, agent in settings.agents.items():
        lacks = lacking(settings, name)
        rows.append(
            {
                "name": name,
                "ready": not lacks,
                "command": " ".join(agent.run),
                "classes": list(agent.classes) or ["all"],
                "rules": list(agent.rules) or ["all"],
                "expected_cost": money(agent.expected_cost),
                "cost_cap": money(agent.cost_cap),
                "lacks": lacks,
            }
        )
    return rows


def lacking(settings: Settings, name: str) -> list[str]:
    """What an agent lacks on this machine, each as a clause."""
    agent = settings.agents[name]
    program = missing_program(agent.run[0], agent.path)
    lacks = [program] if program else []
    keys = agent.model_keys
    if keys and len(missing_variables(keys)) == len(keys):
        lacks.append(f"none of {', '.join(keys)} is set")
    return lacks


@app.command(name="test")
def try_one(
    name: Annotated[str, Parameter(help="The agent's name in swarm.toml.", completer=agents)],
    /,
    *,
    repo: Annotated[
        str, Parameter(help="A bound repository; the only one if left out.", completer=repositories)
    ] = "",
    goal: Annotated[str, Parameter(help="The task it is given.")] = GOAL,
    rule: Annotated[str, Parameter(help="What {rule} stands for, such as F401.")] = "",
    path: Annotated[
        list[str],
        Parameter(negative_iterable="", help="A path it may change; may be repeated."),
    ] = [],  # noqa: B006 - cyclopts copies
    output: Output = Form.TABLE,
    home: Home = None,
) -> int:
    """Run one agent once on a scratch clone and print its diff, time, cost and violations.

    The change passes the same intake as in a mission and is then thrown away: nothing is
    committed to your repository or to the private clone, nothing is counted. The agent itself is
    real, and so is what it costs. Ctrl-C ends it.

    Exit status: 0 it made a change that would be taken; 1 it cannot start now; 2 wrong use; 3 it
    changed nothing, failed, or its change would be refused; 5 nobody bound it.

    Example: swarmctl agent test tidy --repo acme/shop --rule F401
    """
    from swarm.adapters.postgres.store.desk.reference import bare  # noqa: PLC0415
    from swarm.core.evidence import RunResult  # noqa: PLC0415
    from swarm.runtime.settings import load  # noqa: PLC0415
    from swarm.runtime.tryout import try_agent  # noqa: PLC0415 - imports every adapter

    place = home_of(home)
    settings = load(place.file)
    name = bare(name)
    if name not in settings.agents:
        known = ", ".join(settings.agents) or "none"
        raise NotBound(f"no agent {name[:60]!r} is bound in {place.file}; bound are: {known}")
    chosen = _repository(settings, repo)
    if not rule:
        _refuse_without_rule(name, settings)
    brief = _brief(goal, rule, tuple(path))
    say(f"{name} works on a scratch clone of {chosen} ...")
    trial = asyncio.run(try_agent(settings, place, agent=name, repo=chosen, brief=brief))
    if output.for_people:
        _tell(trial)
    else:
        body = {"name": name, "repo": chosen, "seconds": trial.seconds, "patch": trial.patch}
        show_one("AgentTrial", {**body, "fact": dataclasses.asdict(trial.fact)}, output)
    return EXIT_DONE if trial.fact.result is RunResult.CHANGED else EXIT_BAD_OUTCOME


def _repository(settings: Settings, repo: str) -> str:
    known = ", ".join(sorted(settings.repositories)) or "none"
    if repo and repo not in settings.repositories:
        raise NotBound(f"no repository {repo[:60]!r} is bound; bound are: {known}")
    if repo:
        return repo
    if len(settings.repositories) != 1:
        raise Usage(f"name one repository with --repo; bound are: {known}")
    return next(iter(settings.repositories))


def _refuse_without_rule(name: str, settings: Settings) -> None:
    """Raise `Usage` if the agent's command needs a rule: its settings are fine, the call is not."""
    agent = settings.agents[name]
    if any("{rule}" in word for word in agent.run):
        some = f", such as {agent.rules[0]}" if agent.rules else ""
        raise Usage(f"the command of {name} works on one {{rule}}; name it with --rule{some}")


def _brief(goal: str, rule: str, paths: tuple[str, ...]) -> Brief:
    from swarm.core.ids import RunId  # noqa: PLC0415
    from swarm.core.nouns import Brief  # noqa: PLC0415

    if not goal.strip():
        raise Usage("--goal is empty; say what it is to do")
    return Brief(
        run=RunId("tried-by-hand"), goal=line(goal), facts=(), allowed_paths=paths, checks=(),
        rule=rule,
    )  # fmt: skip


def _tell(trial: Trial) -> None:
    fact = trial.fact
    sys.stdout.write(visible(trial.patch))
    emit(f"result:  {fact.result} in {fact.seconds:.1f} s, {trial.seconds:.1f} s with the clone")
    emit(f"cost:    {money(fact.cost)}")
    if fact.change is not None:
        change = fact.change
        files = counted(len(change.paths), "file")
        emit(f"change:  +{change.lines_added} -{change.lines_removed} in {files}")
    for broken in fact.violations:
        emit(f"refused: {line(broken)}")
    if fact.detail:
        emit("it said:")
        for words in visible(fact.detail).splitlines()[-20:]:
            emit(f"  | {words}")
    say("nothing was committed; the scratch clone is gone")
