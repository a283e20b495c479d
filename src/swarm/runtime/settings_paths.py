"""Where a path of swarm.toml begins: at swarm.toml, whichever command reads it, from any folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from swarm.runtime.errors import BadSettings

Block = TypeVar("Block", bound=BaseModel)


def anchored(block: Block, folder: Path) -> Block:
    """The same settings with every path whole: `~` is the user's home, the rest is in `folder`.

    Raises BadSettings for the `~name` of a user whose home nobody knows here.
    """
    given = {name: getattr(block, name) for name in type(block).model_fields}
    meant = {name: _meant(value, folder) for name, value in given.items()}
    return block.model_copy(update={n: v for n, v in meant.items() if v is not given[n]})


def _meant(value: Any, folder: Path) -> Any:
    """The value itself where there is no path in it that was not whole."""
    if isinstance(value, Path):
        whole = folder / _at_home(value)
        return value if whole == value else whole
    if isinstance(value, BaseModel):
        return anchored(value, folder)
    if isinstance(value, tuple):
        return tuple(_meant(one, folder) for one in value)
    if isinstance(value, Mapping):
        return {name: _meant(one, folder) for name, one in value.items()}
    return value


def _at_home(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise BadSettings(f"{path}: {error}") from error
