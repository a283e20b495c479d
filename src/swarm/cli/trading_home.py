"""What every trading verb begins with: the table [trading], a key file, a file of a person's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from swarm.cli.desk import home_of
from swarm.cli.errors import FileUnreadable, Usage

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from swarm.runtime.home import Home
    from swarm.runtime.trading.settings import TradingSettings

Key = Annotated[
    Path, Parameter(help="Your Ed25519 private key file, as `ssh-keygen -t ed25519` writes it.")
]
_LARGEST = 17 * 1024 * 1024


def configured(named: Path | None) -> tuple[Home, TradingSettings]:
    """The installation and its table [trading]. Raises TradingNotConfigured."""
    from swarm.runtime.settings import load  # noqa: PLC0415

    place = home_of(named)
    return place, _there(place, load(place.file).trading)


def configured_alone(named: Path | None) -> tuple[Home, TradingSettings]:
    """The same whatever the other tables say. Raises TradingNotConfigured."""
    from swarm.runtime.trading.settings import read_alone  # noqa: PLC0415

    place = home_of(named)
    return place, _there(place, read_alone(place.file))


def _there(place: Home, trading: TradingSettings | None) -> TradingSettings:
    from swarm.runtime.trading.errors import TradingNotConfigured  # noqa: PLC0415

    if trading is None:
        raise TradingNotConfigured(f"{place.file} has no table [trading]")
    place.make()
    return trading


def key_of(path: Path) -> Ed25519PrivateKey:
    """The private key; its passphrase is asked for on a terminal. Raises KeyUnreadable."""
    from swarm.runtime.trading.signing import load  # noqa: PLC0415

    def passphrase() -> str:
        import getpass  # noqa: PLC0415
        import sys  # noqa: PLC0415

        if not sys.stdin.isatty():
            raise Usage(f"{path} has a passphrase, and there is no terminal to ask for it")
        return getpass.getpass(f"passphrase of {path}: ")

    return load(path, passphrase)


def content(path: Path) -> bytes:
    """A file's bytes. Raises FileUnreadable."""
    try:
        with path.open("rb") as file:
            found = file.read(_LARGEST + 1)
    except OSError as error:
        raise FileUnreadable(f"{path}: {error.strerror}") from error
    if len(found) > _LARGEST:
        raise FileUnreadable(f"{path} has more than {_LARGEST} bytes")
    return found
