"""States as bytes: versioned, bound to their parameters, sealed with a hash. No pickle.

    magic "SWMSTATE" | length of the header, 4 bytes | header, JSON | arrays | sha256 of all before

Everything is little endian, and arrays follow each other in the order of their names. Equal states
give equal bytes, so `state_hash` of two replays can be compared.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from swarm.regime.errors import AlteredState, ForeignState

Arrays = dict[str, np.ndarray[tuple[int, ...], np.dtype[Any]]]

_MAGIC = b"SWMSTATE"
_SEAL = hashlib.sha256().digest_size
_LENGTH = 4
#: What a state may hold. Nothing that runs code when it is read, and nothing of unclear size.
_KINDS = ("<f8", "<i8", "<u8", "|u1", "|i1", "|b1")
_MOST_HEADER = 1 << 20


def params_hash(name: str, version: int, fields: Mapping[str, object]) -> str:
    """The hash of a parameter set: 64 hexadecimal digits; floats enter with all their bits."""
    plain = {"name": name, "version": version, "fields": {k: _exact(v) for k, v in fields.items()}}
    return hashlib.sha256(_json(plain)).hexdigest()


def pack(
    name: str, version: int, params_hash: str, tick: int, arrays: Mapping[str, np.ndarray[Any, Any]]
) -> bytes:
    """The state of detector `name` after tick `tick` as bytes; `unpack` gives the arrays back."""
    table, bodies = [], []
    for key in sorted(arrays):
        array = np.asarray(arrays[key])
        kind = array.dtype.newbyteorder("<").str if array.dtype.itemsize > 1 else array.dtype.str
        if kind not in _KINDS:
            msg = f"{name}.{key} has type {array.dtype}; a state holds {', '.join(_KINDS)}"
            raise TypeError(msg)
        table.append([key, kind, list(array.shape)])
        bodies.append(array.astype(kind, copy=False).tobytes())
    header = _json(
        {"name": name, "version": version, "params": params_hash, "tick": tick, "arrays": table}
    )
    whole = b"".join([_MAGIC, len(header).to_bytes(_LENGTH, "little"), header, *bodies])
    return whole + hashlib.sha256(whole).digest()


def unpack(state: bytes, name: str, version: int, params_hash: str) -> Arrays:
    """The arrays of a packed state, writable. Refuses altered bytes and foreign states."""
    header, at = _header(state)
    for field, wanted in (("name", name), ("version", version), ("params", params_hash)):
        if header[field] != wanted:
            raise ForeignState(f"state.{field}", f"is {header[field]!r}", f"{wanted!r}")
    arrays: Arrays = {}
    for key, kind, shape in header["arrays"]:
        size = math.prod(shape) * np.dtype(kind).itemsize
        arrays[key] = np.frombuffer(state[at : at + size], kind).reshape(shape).copy()
        at += size
    if at != len(state) - _SEAL:
        raise AlteredState("state", "is not filled by its arrays", "a state as it was saved")
    return arrays


def tick_of(state: bytes) -> int:
    """The tick after which the state was packed."""
    return int(_header(state)[0]["tick"])


def state_hash(state: bytes) -> str:
    """The seal of a packed state, 64 hexadecimal digits; equal states have equal ones."""
    _header(state)
    return state[-_SEAL:].hex()


def _header(state: bytes) -> tuple[dict[str, Any], int]:
    """The header and where the arrays begin, once the seal is found unbroken."""
    start = len(_MAGIC) + _LENGTH
    if len(state) < start + _SEAL or not state.startswith(_MAGIC):
        raise AlteredState("state", "is no saved state", "what `pack` gave")
    if hashlib.sha256(memoryview(state)[:-_SEAL]).digest() != state[-_SEAL:]:
        raise AlteredState("state", "has a broken seal", "a state as it was saved")
    length = int.from_bytes(state[len(_MAGIC) : start], "little")
    if length > _MOST_HEADER:
        raise AlteredState("state", "has too long a header", f"one of at most {_MOST_HEADER} bytes")
    try:
        header = json.loads(state[start : start + length])
        kinds = {kind for _, kind, _ in header["arrays"]}
        known = kinds <= set(_KINDS) and {"name", "version", "params", "tick"} <= header.keys()
    except (ValueError, TypeError, KeyError) as error:
        raise AlteredState("state", "has an unreadable header", "one that `pack` wrote") from error
    if not known:
        raise AlteredState("state", "has an incomplete header", "one that `pack` wrote")
    return header, start + length


def _exact(value: object) -> object:
    """A parameter as JSON without a lost bit."""
    if isinstance(value, float):
        return value.hex()
    if isinstance(value, np.ndarray):
        return [_exact(one) for one in value.tolist()]
    if isinstance(value, (list, tuple)):
        return [_exact(one) for one in value]
    if isinstance(value, Mapping):
        return {str(key): _exact(one) for key, one in value.items()}
    if value is None or isinstance(value, (bool, int, str)):
        return value
    msg = f"a parameter of type {type(value).__name__} has no exact text"
    raise TypeError(msg)


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
