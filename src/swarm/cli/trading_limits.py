"""`swarmctl trading limits`: sign a limit set, bring it into force, look at it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from swarm.cli.options import Home, Output
from swarm.cli.output import Column, Form, emit, line, show_one, table
from swarm.cli.trading_home import Key, configured, configured_alone, content, key_of

if TYPE_CHECKING:
    from swarm.adapters.postgres.database import Database

app = App(name="limits", help="The signed limits: sign, load, show.")
SetFile = Annotated[Path, Parameter(help="A limit set: JSON with `schema` and `limits`.")]
_SIGNATURE_MOST = 20_000
_COLUMNS = (
    Column(title="SYMBOL", field="symbol"),
    Column(title="SECTOR", field="sector"),
    Column(title="MOST LOTS", field="max_quantity"),
    Column(title="MOST VALUE", field="max_notional"),
    Column(title="CAPITAL", field="capital"),
)


@app.command
def sign(file: SetFile, /, *, key: Key, home: Home = None) -> None:
    """Sign a limit set with your key; the signature is written beside it, as FILE.sig.

    You must be listed in swarm.toml with the role `risk`, and not be the author of the set.
    Nothing comes into force by it: `limits load` does that.

    Exit status: 0 signed; 1 the file or key is refused; 2 wrong use; 4 you may not sign.

    Example: swarmctl trading limits sign firm.json --key ~/.ssh/id_ed25519
    """
    from swarm.adapters.postgres.store.trading.limit_sets import read_limit_set  # noqa: PLC0415
    from swarm.regime.limits.limit_set import canonical_bytes, content_hash  # noqa: PLC0415
    from swarm.regime.limits.people import Act  # noqa: PLC0415
    from swarm.runtime.trading import signing  # noqa: PLC0415
    from swarm.runtime.trading.errors import SignerUnlisted  # noqa: PLC0415
    from swarm.runtime.trading.place import replace  # noqa: PLC0415

    _, trading = configured_alone(home)
    limits, mine = read_limit_set(content(file)), key_of(key)
    by = signing.allowed(mine, trading.roster(), Act.SIGN_LIMITS)
    if by == limits.author:
        raise SignerUnlisted(
            f"{by} wrote this set and cannot sign it", remedy="Ask another risk officer to sign."
        )
    beside = _beside(file)
    replace(beside, signing.sign(mine, canonical_bytes(limits)).encode())
    digest = content_hash(limits)
    emit(f"{by} signed {line(limits.name)} version {limits.version}, {digest[:12]}: {beside}")


@app.command
def load(
    file: SetFile,
    /,
    *,
    signature: Annotated[Path | None, Parameter(help="Its signature; default: FILE.sig.")] = None,
    output: Output = Form.TABLE,
    home: Home = None,
) -> None:
    """Bring a signed limit set into force; a running order path takes it within two seconds.

    Proven again here and at every start: unaltered, signed by a listed risk officer who did not
    write it, and not older than what is in force. Every version stays in the store.

    Exit status: 0 loaded; 1 refused, and what held goes on holding; 2 wrong use; 7 another set
    carries this version.

    Example: swarmctl trading limits load firm.json
    """
    import time  # noqa: PLC0415

    from swarm.adapters.postgres.store.trading.evidence import ControlEvidences  # noqa: PLC0415
    from swarm.adapters.postgres.store.trading.limit_sets import read_limit_set  # noqa: PLC0415
    from swarm.cli.desk import ask, me  # noqa: PLC0415
    from swarm.runtime.trading import loading  # noqa: PLC0415

    _, trading = configured(home)
    limits = read_limit_set(content(file))
    signed = content(signature or _beside(file)).decode("utf-8", "replace")

    async def work(database: Database) -> dict[str, Any]:
        held = await loading.load(database, trading.limits, limits, signed, trading.roster())
        subject = f"{held.limits.name} version {held.limits.version}"
        body = {"hash": held.hash, "signer": held.signer, "loaded_by": me()}
        evidences = ControlEvidences(database)
        await evidences.add("limits-reviewed", subject, time.time_ns(), body, passed=True)
        return {"name": limits.name, "version": limits.version, **body}

    found = ask(home, work)
    if not output.for_people:
        show_one("LimitSet", found, output)
        return
    emit(
        f"{line(found['name'])} version {found['version']} holds from the next order on, signed by"
        f" {line(found['signer'])}, {found['hash'][:12]}"
    )


@app.command
def show(*, output: Output = Form.TABLE, home: Home = None) -> None:
    """Show the limit set in force, whole with `-o json`. Money is in millionths of its currency.

    A stored set whose signature does not hold any more, as of somebody who left, is refused here
    as at the order path.

    Exit status: 0; 1 none is in force; 2 wrong use; 5 no installation, or no table [trading].

    Example: swarmctl trading limits show
    """
    import json  # noqa: PLC0415

    from swarm.cli.desk import ask  # noqa: PLC0415
    from swarm.regime.limits.limit_set import canonical_bytes  # noqa: PLC0415
    from swarm.runtime.trading import loading  # noqa: PLC0415

    _, trading = configured(home)
    held, _ = ask(home, lambda one: loading.newest(one, trading.limits, trading.roster()))
    body = json.loads(canonical_bytes(held.limits))["limits"]
    if not output.for_people:
        show_one("LimitSet", {**body, "hash": held.hash, "signer": held.signer}, output)
        return
    emit(f"{line(body['name'])} version {body['version']}, {held.hash[:12]}")
    emit(f"  written by {line(body['author'])}, signed by {line(held.signer)}")
    emit(f"  firm: {body['firm']} of {line(body['currency'])} in millionths")
    for one in body["regimes"]:
        emit(f"  {one['regime']}: drawdown {one['drawdown_ppm']} ppm, exposure {one['exposure']}")
    table(body["instruments"], _COLUMNS)


def _beside(file: Path) -> Path:
    return file.with_name(f"{file.name}.sig")
