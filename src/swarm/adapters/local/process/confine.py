"""Keeps a command inside its own folders with Landlock, where the kernel has it.

Inside: it may write only below its work tree, HOME and TMPDIR (and what was named); the files
named as hidden cannot be read; it can neither signal nor trace a process outside, so that
/proc/PID/environ of the controller stays closed to it. Needs no privilege.

Source: landlock(7) and linux/landlock.h; the ABI numbers below are those of the manual page.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

from swarm.adapters.local.process import kernel

# The same on every architecture: added after the system call tables were unified.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG = 1
_RULE_PATH_BENEATH = 1
_SCOPES = 0b11  # abstract unix sockets and signals stay inside

_WRITE_FILE, _READ_FILE = 1 << 1, 1 << 2
_REMOVE_AND_MAKE = sum(1 << bit for bit in range(4, 13))  # ABI 1: remove_dir .. make_sym
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts", "shm")
_SCOPE_ABI, _REFER_ABI, _TRUNCATE_ABI = 6, 2, 3


#: What a root user's build and test commands need: owners and modes of their own files, another
#: user for a server under test, low ports. Everything else a command of root loses, above all
#: SYS_ADMIN, SYS_PTRACE and PERFMON, which would open other processes' memory again.
_KEPT_CAPABILITIES = frozenset({0, 1, 3, 4, 6, 7, 10})  # CHOWN DAC_OVERRIDE FOWNER FSETID
#                                                         SETGID SETUID NET_BIND_SERVICE
_LAST_CAPABILITY = 63


def drop_capabilities() -> None:
    """Take from a process of root what a command has no use for, at its next exec."""
    if os.geteuid() == 0:
        for capability in set(range(_LAST_CAPABILITY + 1)) - _KEPT_CAPABILITIES:
            kernel.prctl(kernel.PR_CAPBSET_DROP, capability)


def abi() -> int:
    """The Landlock version of the running kernel; 0 when it has none."""
    if not kernel.LINUX:
        return 0
    version = ctypes.CDLL(None, use_errno=True).syscall(_CREATE_RULESET, None, 0, _VERSION_FLAG)
    return max(0, int(version))


def _write_rights(version: int) -> int:
    rights = _WRITE_FILE | _REMOVE_AND_MAKE
    rights |= _REFER if version >= _REFER_ABI else 0
    rights |= _TRUNCATE if version >= _TRUNCATE_ABI else 0
    return rights


def readable_complement(hidden: Iterable[Path], kept: Sequence[Path]) -> list[Path]:
    """The largest set of paths that together are everything except `hidden`, plus `kept`.

    A ruleset can only allow. So every folder on the way to a hidden path is opened up, and all
    its entries but the one that leads there are allowed.
    """
    targets = {Path(os.path.realpath(path)) for path in hidden if os.path.lexists(path)}
    allowed: list[Path] = list(kept)
    front = [Path("/")]
    while front:
        folder = front.pop()
        if folder in targets:
            continue
        if not any(folder in target.parents for target in targets):
            allowed.append(folder)
            continue
        with contextlib.suppress(OSError):
            front += [path for path in folder.iterdir() if not _leads_elsewhere(path)]
    return allowed


def _leads_elsewhere(path: Path) -> bool:
    """A link grants nothing by itself, and a rule on it would open what it points to."""
    try:
        return path.is_symlink()
    except OSError:
        return True  # a mount whose server is gone: it alone stays closed, not all beside it


def restrict(own: Sequence[Path], writable: Sequence[Path], hidden: Sequence[Path]) -> str:
    """Restrict this process and all it starts. Returns what is in force, "" for nothing.

    own:      folders to read and write, also below a hidden one.
    writable: folders to write as well; what is hidden below them stays unreadable.
    Needs PR_SET_NO_NEW_PRIVS. Raises OSError when the kernel has Landlock and refuses.
    """
    version = abi()
    if version == 0:
        return ""
    libc = ctypes.CDLL(None, use_errno=True)
    write = _write_rights(version)
    handled = write | (_READ_FILE if hidden else 0)
    attributes = struct.pack("=Q", handled)
    if version >= _SCOPE_ABI:
        attributes = struct.pack("=QQQ", handled, 0, _SCOPES)
    ruleset = libc.syscall(_CREATE_RULESET, attributes, len(attributes), 0)
    if ruleset < 0:
        raise OSError(ctypes.get_errno(), "landlock_create_ruleset")
    rules = [(path, handled) for path in own]
    rules += [(path, write) for path in writable]
    rules += [(Path("/dev") / name, handled) for name in _DEVICES]
    if hidden:
        rules += [(path, _READ_FILE) for path in readable_complement(hidden, ())]
    for path, rights in rules:
        _allow(libc, ruleset, path, rights)
    if libc.syscall(_RESTRICT_SELF, ruleset, 0) != 0:
        raise OSError(ctypes.get_errno(), "landlock_restrict_self")
    os.close(ruleset)
    return f"landlock-{version}"


def _allow(libc: ctypes.CDLL, ruleset: int, path: Path, rights: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there needs no permission
    try:
        if not path.is_dir():
            rights &= _WRITE_FILE | _READ_FILE | _TRUNCATE
        rule = struct.pack("=Qi", rights, handle)
        if libc.syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, rule, 0) != 0:
            raise OSError(ctypes.get_errno(), f"landlock_add_rule {path}")
    finally:
        os.close(handle)
