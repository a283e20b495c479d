"""Profiles: named overlays of values that the schema must not prescribe.

A profile has two halves.

`spec` fills fields that a manifest leaves out. It is used only when the manifest asks for it with
the annotation `swarm.proompteng.ai/profile: NAME`, and only while a manifest is loaded; what is
written wins. An object that an API server has already filled with its defaults has no gaps left,
so there the annotation changes nothing of the spec. A profile is no schema constraint.

`thresholds` are limits that are no fields of the object at all. The annotation names the profile;
without it, a Swarm with a domain that a profile lists is held to that profile's thresholds, and
every other Swarm to those of `control-plane`, which are the design's defaults for everyone. What
trades is held to the drawdown of `quant`, whatever the Swarm says of itself.
"""

from swarm.contract.profiles.overlay import (
    Profile,
    Thresholds,
    profile,
    profile_names,
    profile_of,
)

__all__ = ["Profile", "Thresholds", "profile", "profile_names", "profile_of"]
