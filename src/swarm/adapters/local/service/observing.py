"""What really runs at a target, asked of the running processes and not of our own file."""

from __future__ import annotations

from dataclasses import dataclass

from swarm.adapters.local.service import detached
from swarm.adapters.local.service.asking import REVISION_HEADER, is_revision, revision_in
from swarm.adapters.local.service.moves import Parts
from swarm.adapters.local.service.state import Target, Version

_PROBES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveState:
    """What really runs.

    stable_revision: what the process behind the stable arm says it is; "" when nobody answers.
    canary_revision: the same of the canary; None when the proxy routes to no canary.
    traffic_percent: the split that the proxy has in force.
    healthy:         proxy and every arm answer, and nothing drifted.
    drift:           sentences, one for each way in which this is not what was asked for.
    """

    stable_revision: str
    canary_revision: str | None
    traffic_percent: int
    healthy: bool
    drift: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Which revision answered clients after an abort, and whether that is the stable one."""

    serving: str
    proven: bool
    detail: str = ""


async def live(parts: Parts, target: Target) -> LiveState:
    """Ask the proxy and every version. Changes nothing."""
    for version in target.versions():
        detached.cap_log(parts.versions.log(version.revision))
    routing = await parts.front.routing()
    if routing is None:
        # Where nothing was ever deployed, nothing can differ from what was asked for.
        drift = ["the proxy does not answer"] if target.stable else []
        return LiveState(
            stable_revision="",
            canary_revision=None,
            traffic_percent=0,
            healthy=False,
            drift=tuple(drift),
        )
    named = {arm: await parts.versions.revision_at(port) for arm, port in routing.ports.items()}
    drift = await _drift_of(parts, "stable", target.stable, named)
    if target.stable is not None and not target.stable.ready:
        # Whoever was starting it was killed in between: nobody routes to it, so it must be healed.
        drift.append(f"stable {target.stable.revision} was never brought to serve")
    drift += await _drift_of(parts, "canary", target.canary, named)
    if routing.percent != target.percent:
        drift.append(f"the proxy gives {routing.percent} %, asked for are {target.percent} %")
    return LiveState(
        stable_revision=named.get("stable", ""),
        canary_revision=named.get("canary"),
        traffic_percent=routing.percent,
        healthy=target.stable is not None and not drift,
        drift=tuple(drift),
    )


async def _drift_of(
    parts: Parts, arm: str, version: Version | None, named: dict[str, str]
) -> list[str]:
    """How one arm differs from what was asked for; a shortened revision is made whole."""
    found = named.get(arm)
    if version is None or not version.ready:
        return [] if found is None else [f"{arm} is routed to {found}, and none was asked for"]
    if not found:
        return [f"{arm} does not answer; {version.revision} was asked for"]
    if not is_revision(found, version.revision):
        return [f"{arm} runs {found}, asked for is {version.revision}"]
    named[arm] = version.revision
    if not await parts.versions.is_healthy(version):
        return [f"{arm} {version.revision} is not healthy"]
    return []


async def proof(parts: Parts, target: Target) -> Proof:
    """Ask as a client does, several times: every answer must come from the stable revision."""
    wanted = target.stable.revision if target.stable else ""
    seen = [await _serving(parts) for _ in range(_PROBES)]
    wrong = next((found for found in seen if not wanted or not is_revision(found, wanted)), None)
    if wrong is None:
        detail = f"{_PROBES} of {_PROBES} probes were answered by {wanted}"
        return Proof(serving=wanted, proven=True, detail=detail)
    detail = f"a probe was answered by {wrong or 'nobody'}, not by {wanted}"
    return Proof(serving=wrong, proven=False, detail=detail)


async def _serving(parts: Parts) -> str:
    """The revision that answers the public port now; "" when none does, or not healthily."""
    path = parts.settings.version_path
    said = await parts.front.through(path or parts.settings.health_path)
    if said is None or not said.ok:
        return ""
    if path is not None:
        return revision_in(said)
    # The service does not name itself: the proxy says where the answer came from, and the
    # process that listens there is asked for its revision.
    routing = await parts.front.routing()
    if routing is None:
        return ""
    via = said.headers.get(REVISION_HEADER, "")
    ports = [routing.ports[arm] for arm, revision in routing.revisions.items() if revision == via]
    return await parts.versions.revision_at(ports[0]) if ports else ""


async def named(parts: Parts, version: Version) -> str:
    """The revision that a version's process says it is, whole if it is the one on record."""
    found = await parts.versions.revision_at(version.port)
    return version.revision if is_revision(found, version.revision) else found
