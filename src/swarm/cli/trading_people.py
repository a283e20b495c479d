"""`swarmctl trading token` and `override`: what a person says with the own key, as a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from swarm.cli.errors import FileUnreadable, Usage
from swarm.cli.options import Home, span_of
from swarm.cli.output import emit, line
from swarm.cli.trading_home import Key, configured_alone, content, key_of

if TYPE_CHECKING:
    from swarm.regime.controls.decision import Control
    from swarm.regime.controls.order import TradeOrder
    from swarm.runtime.trading.statements import SignedOverride

ACTS = {"l": "re-enable", "k": "lift-kill", "b": "clear-break"}
_NONCE_BYTES = 16


def token(
    subject: Annotated[str, Parameter(help="The id of the kill, latch or break to undo.")],
    /,
    *,
    key: Key,
    out: Annotated[Path, Parameter(help="Where the token goes; an existing file is kept.")],
    lasts: Annotated[str, Parameter(help="How long it may be used, an hour at most.")] = "10m",
    home: Home = None,
) -> None:
    """Make and sign a token that undoes one thing, once. By itself it changes nothing.

    What it allows is told by the id: k- lifts a kill, l- switches a strategy on again, b- clears a
    break. Hand it to whoever runs `trading undo`; the order path verifies it there.

    Exit status: 0 written; 1 the key is refused, or the file exists; 2 wrong use; 4 you may not.

    Example: swarmctl trading token k-41c0 --key ~/.ssh/id_ed25519 --out token.json
    """
    import secrets  # noqa: PLC0415
    import time  # noqa: PLC0415

    from swarm.regime.controls.token import LONGEST_NS, Token, statement  # noqa: PLC0415
    from swarm.regime.limits.people import Act  # noqa: PLC0415
    from swarm.runtime.trading import signing, statements  # noqa: PLC0415
    from swarm.runtime.trading.place import replace  # noqa: PLC0415

    _, trading = configured_alone(home)
    kind, dash, _ = subject.partition("-")
    if not dash or kind not in ACTS:
        raise Usage(f"{line(subject[:40])!r} is no id; `swarmctl trading status` shows them")
    span = int(span_of("--lasts", lasts).total_seconds() * 1_000_000_000)
    if not 0 < span <= LONGEST_NS:
        raise Usage(f"--lasts is {lasts}; an hour is the most")
    _absent(out)
    mine, act, now = key_of(key), Act(ACTS[kind]), time.time_ns()
    by = signing.allowed(mine, trading.roster(), act)
    made = Token(
        act=act, subject=subject, by=by, nonce=secrets.token_hex(_NONCE_BYTES), issued_ns=now,
        expires_ns=now + span,
    )  # fmt: skip
    signed = statements.SignedToken(token=made, signature=signing.sign(mine, statement(made)))
    replace(out, statements.write(signed))
    emit(f"{by} signed: {act} of {line(subject)}, once within {lasts}: {out}")


def override(
    order: Annotated[Path, Parameter(help="The one order, as JSON.")],
    /,
    *,
    key: Key,
    out: Annotated[Path, Parameter(help="The override's file; the second signer adds to it.")],
    control: Annotated[
        str, Parameter(help="What is set aside: collar, notional, quantity or duplicate.")
    ] = "",
    verified_by: Annotated[str, Parameter(help="The risk officer who verifies.")] = "",
    authorised_by: Annotated[str, Parameter(help="The supervisor who authorises.")] = "",
    lasts: Annotated[str, Parameter(help="How long, 15 minutes at most.")] = "10m",
    home: Home = None,
) -> None:
    """Set one control aside for one order, by two people: run once by each, with the own key.

    The first run names both and writes the file; the second adds its signature to exactly that.
    The order path verifies that two different people with the roles signed, neither the trader nor
    an author of the limits or the strategy. No kill, latch or capital cap can be set aside.

    Exit status: 0 signed; 1 refused; 2 wrong use; 4 you are none of the two.

    Example: swarmctl trading override order.json --control collar --verified-by ben \
--authorised-by sol --key ben.key --out override.json
    """
    from dataclasses import replace as changed  # noqa: PLC0415

    from swarm.regime.controls.order import TradeOrder, order_hash  # noqa: PLC0415
    from swarm.regime.controls.override import statement  # noqa: PLC0415
    from swarm.regime.limits.people import Act  # noqa: PLC0415
    from swarm.runtime.trading import signing, statements  # noqa: PLC0415
    from swarm.runtime.trading.errors import SignerUnlisted  # noqa: PLC0415
    from swarm.runtime.trading.place import replace  # noqa: PLC0415

    _, trading = configured_alone(home)
    read = statements.read(TradeOrder, content(order))
    if out.exists():
        held = statements.read(statements.SignedOverride, content(out))
        if held.override.order_hash != order_hash(read):
            raise Usage(f"{out} is for another order than {line(read.id)}")
    else:
        aside, people = _control(control), (verified_by, authorised_by)
        held = _drafted(read, aside, people, lasts)
        for name, act in zip(people, (Act.VERIFY_OVERRIDE, Act.AUTHORISE_OVERRIDE), strict=True):
            if not trading.roster().may(name, act):
                raise SignerUnlisted(f"{line(name)} may not {act}")
    mine = key_of(key)
    by, given = signing.person(mine, trading.roster()), held.override
    if by not in {given.verified_by, given.authorised_by}:
        two = f"{given.verified_by} and {given.authorised_by}"
        raise SignerUnlisted(f"{by} is none of the two people it names, {line(two)}")
    signatures = {**held.signatures, by: signing.sign(mine, statement(given))}
    replace(out, statements.write(changed(held, signatures=signatures)))
    missing = {given.verified_by, given.authorised_by} - set(signatures)
    wanted = f"; {', '.join(sorted(missing))} signs next" if missing else "; both have signed"
    emit(f"{by} signed: {given.control.name} aside for {line(read.id)}{line(wanted)}")


def _drafted(
    order: TradeOrder, control: Control, people: tuple[str, str], lasts: str
) -> SignedOverride:
    import secrets  # noqa: PLC0415
    import time  # noqa: PLC0415

    from swarm.regime.controls.order import order_hash  # noqa: PLC0415
    from swarm.regime.controls.override import LONGEST_NS, Override  # noqa: PLC0415
    from swarm.runtime.trading.statements import SignedOverride  # noqa: PLC0415

    span = int(span_of("--lasts", lasts).total_seconds() * 1_000_000_000)
    if not 0 < span <= LONGEST_NS:
        raise Usage(f"--lasts is {lasts}; 15 minutes are the most")
    verified_by, authorised_by = people
    if not verified_by or not authorised_by or verified_by == authorised_by:
        raise Usage("--verified-by and --authorised-by name two different people")
    made = Override(
        order_hash=order_hash(order), control=control, expires_ns=time.time_ns() + span,
        verified_by=verified_by, authorised_by=authorised_by,
        nonce=secrets.token_hex(_NONCE_BYTES),
    )  # fmt: skip
    return SignedOverride(override=made, signatures={})


def _control(text: str) -> Control:
    from swarm.regime.controls.override import OVERRIDABLE  # noqa: PLC0415

    names = {one.name.lower(): one for one in OVERRIDABLE}
    if text.lower() not in names:
        raise Usage(f"--control is {line(text[:40])!r}; there are: {', '.join(sorted(names))}")
    return names[text.lower()]


def _absent(path: Path) -> None:
    if path.exists():
        raise FileUnreadable(f"{path} exists already; name a new file, a token is never replaced")
