"""Every drill, by name, and the way to run one."""

from __future__ import annotations

from collections.abc import Callable

from swarm.contract.errors import SwarmError
from swarm.runtime.drills import production, surroundings, work
from swarm.runtime.drills.drill import Drill, Protocol
from swarm.runtime.drills.sandbox import Sandbox, sandbox
from swarm.runtime.errors import NoSuchDrill
from swarm.runtime.home import Home

DRILLS = {d.name: d for d in (*work.DRILLS, *production.DRILLS, *surroundings.DRILLS)}


def drill_named(name: str) -> Drill:
    """The drill of that name. Raises `NoSuchDrill`."""
    if name not in DRILLS:
        raise NoSuchDrill(f"there is no drill {name[:80]!r}; there are: {', '.join(DRILLS)}")
    return DRILLS[name]


def run(drill: Drill, installation: Home, say: Callable[[str], None]) -> Protocol:
    """Run one drill in a sandbox of this installation and clean up; what it found."""
    protocol = Protocol(say)
    with sandbox(installation, target=drill.target) as corner:
        try:
            drill.run(corner, protocol)
        except SwarmError as error:  # such as a controller that does not start again
            protocol.check("the drill comes to its end", error.message, good=False)
        finally:
            say(f"log: {_log(corner, drill.name)}")
            say("removing the sandbox")
    return protocol


def _log(corner: Sandbox, name: str) -> str:
    """Where the log is kept; a full disk takes it, and not what the drill found."""
    try:
        return str(corner.keep_log(name))
    except OSError as error:
        return f"not kept: {error.strerror or error}"
