"""Reads the profiles that come with the package, and decides which one a Swarm has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from swarm.contract.errors import UnknownProfile
from swarm.contract.metadata import PROFILE_ANNOTATION

_NAMES = ("control-plane", "quant")
_EVERYONE = "control-plane"


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Limits of a profile. None means that the profile sets no such limit.

    What a canary may do is no profile's: the document's delivery thresholds are the defaults of
    `[canary]` in the installation file, for every Swarm.

    intraday_drawdown:      negative share of equity; at or below it, freeze at once.
    policy_violations:      consecutive missions whose work broke a rule that freeze.
    failed_missions:        consecutive failed missions that freeze.
    resume_window_required: whether a freeze lifts only inside an explicit resume window.
    """

    intraday_drawdown: float | None = None
    policy_violations: int | None = None
    failed_missions: int | None = None
    resume_window_required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A named overlay.

    spec:       values for fields that a manifest leaves out, in the manifest's own form.
    domains:    a Swarm with one of these is held to the thresholds without asking for them.
    thresholds: limits that are no fields of the object.
    """

    name: str
    summary: str
    domains: frozenset[str]
    spec: dict[str, Any]
    thresholds: Thresholds


def profile_names() -> tuple[str, ...]:
    """The profiles that come with this version, sorted."""
    return _NAMES


@cache
def profile(name: str) -> Profile:
    """The profile of that name. Shared; do not change its `spec`.

    errors: UnknownProfile.
    """
    if name not in _NAMES:
        raise UnknownProfile(f"there is no profile {name!r}; known are {', '.join(_NAMES)}")
    import yaml  # noqa: PLC0415  (only needed where a profile is used)

    text = (resources.files(__package__) / f"{name}.yaml").read_text("utf-8")
    written = yaml.safe_load(text)
    limits = {_snake(key): value for key, value in written["thresholds"].items()}
    return Profile(
        name=name,
        summary=written["summary"],
        domains=frozenset(written["domains"]),
        spec=written["spec"],
        thresholds=Thresholds(**limits),
    )


def profile_of(domains: Iterable[str], annotations: Mapping[str, str]) -> Profile:
    """The profile whose thresholds hold for a Swarm: by annotation, else domain, else default.

    domains: of its spec.    annotations: of its metadata.
    errors: UnknownProfile, when the annotation names none that exists.
    """
    asked = annotations.get(PROFILE_ANNOTATION)
    if asked is not None:
        return profile(asked)
    for name in _NAMES:
        if profile(name).domains.intersection(domains):
            return profile(name)
    return profile(_EVERYONE)


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
