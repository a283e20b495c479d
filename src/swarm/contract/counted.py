"""A number with its noun, as people say it."""

from __future__ import annotations


def counted(count: int, noun: str) -> str:
    """`1 mission`, and `0 missions` or `2 missions`; the noun makes its plural with an s."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
