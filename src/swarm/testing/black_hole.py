"""A network that swallows everything, between this process and a namespace of its own.

Frames go to a hardware address that nobody has: no reset, no refusal, no answer, in both
directions. Nothing leaves this host. Linux, root and the `ip` program are needed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

_NOBODYS_HARDWARE = "02:00:00:00:00:99"


class CannotMakeNetwork(Exception):
    """This machine gives no network namespace; the message says why."""


class Wire:
    """A cable with one end here and the other in a network namespace; cut and mended at will."""

    def __init__(self) -> None:
        pid = os.getpid()
        # Private addresses that no route leads to; by process, so that two may do this at once.
        net = f"10.{200 + pid // 250 % 50}.{pid % 250}"
        self.our_address = f"{net}.1"
        self.their_address = f"{net}.2"
        self.space = f"swarm-{pid}"
        self._ours = f"sw{os.getpid()}a"
        self._theirs = f"sw{os.getpid()}b"

    def command(self, *program: str) -> list[str]:
        """The argv that runs `program` at the far end."""
        return ["ip", "netns", "exec", self.space, *program]

    def cut(self) -> None:
        """From now on every packet vanishes, in both directions."""
        where = ("lladdr", _NOBODYS_HARDWARE, "nud", "permanent", "dev")
        _ip("neigh", "replace", self.their_address, *where, self._ours)
        _ip("-n", self.space, "neigh", "replace", self.our_address, *where, self._theirs)

    def mend(self) -> None:
        """Packets arrive again."""
        _ip("neigh", "del", self.their_address, "dev", self._ours)
        _ip("-n", self.space, "neigh", "del", self.our_address, "dev", self._theirs)

    def __enter__(self) -> Self:
        if os.geteuid() != 0 or shutil.which("ip") is None:
            raise CannotMakeNetwork("needs root and the `ip` program to make a network namespace")
        _ip("netns", "add", self.space)
        try:
            _ip("link", "add", self._ours, "type", "veth", "peer", "name", self._theirs)
            _ip("link", "set", self._theirs, "netns", self.space)
            _ip("addr", "add", f"{self.our_address}/30", "dev", self._ours)
            _ip("link", "set", self._ours, "up")
            _ip("-n", self.space, "addr", "add", f"{self.their_address}/30", "dev", self._theirs)
            _ip("-n", self.space, "link", "set", self._theirs, "up")
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._remove()

    def _remove(self) -> None:
        _ip("netns", "del", self.space)  # takes its end of the cable along, and so ours


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CannotMakeNetwork(f"ip {' '.join(words)}: {done.stderr.strip()}")
