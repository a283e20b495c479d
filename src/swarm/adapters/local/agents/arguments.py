"""An agent's argument list for one order: what was configured, filled with checked values."""

from __future__ import annotations

from pathlib import Path

from swarm.adapters.local.agents.settings import MICRO, AgentSettings
from swarm.adapters.local.errors import BadCommand
from swarm.adapters.local.process import command
from swarm.core.nouns import Brief
from swarm.core.policy import intake_paths

#: More arguments help no tool; then it gets the whole folder and the intake holds the line.
MOST_PATHS = 200
_MOST_LOOKED_AT = 20_000
_GLOB = frozenset("*?[")


def argv(settings: AgentSettings, brief: Brief, work: Path, prompt: Path) -> tuple[str, ...]:
    """The whole argument list. Raises BadCommand for a value that cannot be an argument.

    work: the clone, in which globs of allowed paths are looked up. prompt: the prompt's file.
    """
    used = " ".join(settings.run)
    values = {
        "prompt_file": str(prompt),
        "model": settings.model,
        "cost_cap": f"{settings.cost_cap / MICRO:g}",
        "rule": command.checked_rule(brief.rule) if "{rule}" in used else "",
    }
    paths = _paths(brief.allowed_paths, work) if "{paths}" in used else ()
    return command.filled(settings.run, values, paths)


def _paths(allowed: tuple[str, ...], work: Path) -> tuple[str, ...]:
    names = [command.checked_path(path) for path in allowed]
    # Brackets are part of some frameworks' file names, so what is there is no pattern.
    patterns = [name for name in names if _GLOB & set(name) and not (work / name).exists()]
    found = [name for name in names if name not in patterns]
    found += _matching(patterns, work) if patterns else []
    if allowed and not found:
        raise BadCommand("none of the allowed paths is in the repository, so {paths} is empty")
    return tuple(found) if len(found) <= MOST_PATHS else (".",)


def _matching(patterns: list[str], work: Path) -> list[str]:
    """Files of the clone that one of the patterns names, by the rules of the intake."""
    found: list[str] = []
    for number, path in enumerate(sorted(work.rglob("*"))):
        if number > _MOST_LOOKED_AT or len(found) > MOST_PATHS:
            break
        name = path.relative_to(work).as_posix()
        if name.startswith(".git/") or path.is_symlink() or not path.is_file():
            continue
        if intake_paths.within(name, patterns):
            found.append(command.checked_path(name))
    return found
