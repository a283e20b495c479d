"""What can go wrong with a local service target, SWM460 to SWM469."""

from __future__ import annotations

from swarm.contract.errors import Refused, Unavailable


class TargetHeld(Unavailable):
    """The target has another canary; two rollouts never share one target, and the later waits.

    It would be no fault of a change that landed already, and which was to be taken back for it.
    """

    code = "SWM460"
    remedy = "It goes on when the other rollout ends; the message names its revision."


class NoCanary(Refused):
    """There is no canary, or another one than the order names."""

    code = "SWM461"
    remedy = "Start the revision first; an order that comes after an abort is refused for good."


class PortTaken(Unavailable):
    """The service's public port belongs to another program."""

    code = "SWM462"
    remedy = "Stop the other program, or change `port` of the target in swarm.toml."


class ProxyDown(Unavailable):
    """The proxy of the target does not answer."""

    code = "SWM463"
    remedy = "It is started again by the next order; its log lies beside its state file."


class TargetLocked(Unavailable):
    """Another controller works at this target right now."""

    code = "SWM464"
    remedy = "Nothing to do: the order is tried again when the other one has finished."


class BadTarget(Refused):
    """An order or a stored state of the target that cannot be carried out."""

    code = "SWM465"
    remedy = "Correct the named value; a damaged state file is removed by cleaning the target."


class NothingToGoBackTo(Refused):
    """No known-good version is left: the stable one is gone and no earlier one is on record."""

    code = "SWM466"
    remedy = "Deploy a revision that is known to be good; until then the target stays down."


class NoStable(Refused):
    """The target has no stable version that a canary could be compared with."""

    code = "SWM469"
    remedy = "Deploy a first version: `swarmctl up` starts the head of main where none runs."


class MetricsUnreadable(Unavailable):
    """The metrics source did not answer, or not in its published format."""

    code = "SWM467"
    remedy = "Look at the metrics source; a look is taken again when it answers."


class BadQuery(Refused):
    """A metrics query that could not tell the truth."""

    code = "SWM468"
    remedy = "Correct the query of the target in swarm.toml as the message says."
