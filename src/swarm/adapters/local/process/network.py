"""Cuts a command off from every network but its own loopback, with a kernel namespace.

Root does it directly; anybody else inside a user namespace of his own, where the kernel and its
administrator allow those. Nothing is filtered and nothing can be named: there is no route.

Source: unshare(2), user_namespaces(7), network_namespaces(7), netdevice(7).
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
import subprocess
import sys
from functools import cache
from pathlib import Path

import swarm
from swarm.adapters.local.process import kernel

_NEWUSER, _NEWNET = 0x10000000, 0x40000000
_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 1
_PROBE = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from swarm.adapters.local.process import network; network.cut()"
)
_PATIENCE = 20.0


def cut() -> None:
    """Leave this process, and all it starts, a loopback of its own and no other network.

    To be called between fork and exec: it is for good, and clears PR_SET_PDEATHSIG.
    Raises OSError where it is not allowed.
    """
    if not kernel.LINUX:
        raise OSError("only Linux can cut a command off from the network")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEWNET) != 0:
        user, group = os.geteuid(), os.getegid()
        if libc.unshare(_NEWUSER | _NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "this machine allows no namespaces of its network")
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{user} {user} 1"),
            ("gid_map", f"{group} {group} 1"),
        ):
            Path(f"/proc/self/{name}").write_text(text, encoding="ascii")
    _raise_loopback()


def _raise_loopback() -> None:
    """Tests talk to themselves over 127.0.0.1; in a new namespace it is down."""
    import socket  # noqa: PLC0415 - costs a supervisor more than all the rest of its start

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        asked = struct.pack("16sh22x", b"lo", 0)
        _, flags = struct.unpack("16sh22x", fcntl.ioctl(probe, _GET_FLAGS, asked))
        fcntl.ioctl(probe, _SET_FLAGS, struct.pack("16sh22x", b"lo", flags | _UP))


@cache
def can_cut() -> bool:
    """Whether this user on this machine can be cut off at all; tried once, in a process apart."""
    root = str(Path(swarm.__file__).parent.parent)
    try:
        tried = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _PROBE, root],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return tried.returncode == 0
