"""What people hand over in files: orders, tokens and overrides, read strictly and verified."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from swarm.contract import strict_json
from swarm.regime.controls import override as overrides
from swarm.regime.controls.errors import OverrideRefused
from swarm.regime.controls.order import TradeOrder
from swarm.regime.controls.override import Override
from swarm.regime.controls.token import Token
from swarm.regime.limits.in_force import LimitsInForce
from swarm.regime.limits.people import Roster
from swarm.runtime.trading.errors import StatementUnreadable
from swarm.runtime.trading.signatures import signer_of

T = TypeVar("T")
MOST = 64 * 1024  #: bytes of one statement; the largest real one has two thousand


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedToken:
    """A token with the signature of whoever it names."""

    token: Token
    signature: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedOverride:
    """An override with the signatures that it has so far, by person."""

    override: Override
    signatures: dict[str, str]


_ADAPTERS: dict[Any, TypeAdapter[Any]] = {
    kind: TypeAdapter(kind) for kind in (TradeOrder, SignedToken, SignedOverride)
}


def read(kind: type[T], text: bytes) -> T:
    """The statement of a JSON text. Raises StatementUnreadable, which names the field."""
    if len(text) > MOST:
        raise StatementUnreadable(f"{len(text)} bytes; a statement has at most {MOST}")
    adapter = _ADAPTERS[kind]
    try:
        given = strict_json.loads(text)
        found: T = adapter.validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the whole text"
        raise StatementUnreadable(f"{kind.__name__}: {where}: {first['msg']}"[:500]) from error
    except (ValueError, RecursionError) as error:
        raise StatementUnreadable(f"{kind.__name__}: no JSON: {error}"[:500]) from error
    if unknown := strict_json.stranger(given, adapter.dump_python(found, mode="json")):
        raise StatementUnreadable(f"{kind.__name__}: {unknown[:100]}: there is no such field")
    return found


def write(value: Any) -> bytes:
    """The JSON text of a statement."""
    return _ADAPTERS[type(value)].dump_json(value, indent=2)


def verified(
    signed: SignedOverride, order: TradeOrder, limits: LimitsInForce, roster: Roster, now_ns: int
) -> Override:
    """The override, once both people it names have signed exactly it. Raises OverrideRefused.

    Neither may have written the limits, nor the revision of the strategy that sends the order.
    """
    given = signed.override
    text = overrides.statement(given)
    for person in (given.verified_by, given.authorised_by):
        signature = signed.signatures.get(person, "")
        if not signature or signer_of(text, signature, roster) != person:
            raise OverrideRefused(f"{person} has not signed it")
    release = limits.releases.get((order.strategy, order.sha))
    barred = {limits.limits.author} | ({release.author} if release else set())
    return overrides.override(given, order, roster, now_ns, barred)
