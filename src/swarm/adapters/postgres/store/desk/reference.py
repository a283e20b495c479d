"""How a person names one object: by id or name, with its kind in front or without."""

from __future__ import annotations

_KINDS = frozenset({
    "swarm", "need", "mission", "run", "change", "verdict", "rollout", "freeze", "approval",
    "budget", "source", "signal", "order", "outcome", "agent", "drill",
})  # fmt: skip


def bare(ref: str) -> str:
    """`m-41c0` of `mission/m-41c0`; anything else as it is, such as a branch or namespace/name."""
    kind, _, name = ref.partition("/")
    return name if name and kind in _KINDS else ref
