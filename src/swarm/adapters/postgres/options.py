"""The settings of the embedded server, passed on its command line, so they are always ours."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from .ballast import free_bytes
from .layout import PORT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .binaries import Binaries
    from .layout import Layout

_MEGABYTE = 1024 * 1024
_TRANSACTION_TIMEOUT_SINCE = 17
_IO_WORKERS_SINCE = 18


def server_arguments(binaries: Binaries, layout: Layout, extra: Mapping[str, str]) -> list[str]:
    """The server's argv. `extra` overrides single settings; tests switch fsync off with it."""
    settings = {
        "listen_addresses": "",  # the socket in a 0700 folder is the only door
        "unix_socket_directories": _quoted_directory(layout.sockets),
        "unix_socket_permissions": "0700",
        "port": str(PORT),
        "max_connections": "40",  # four replicas of at most 8 + 1 connections, and people
        "shared_buffers": f"{shared_buffers_mb(memory_bytes())}MB",
        # Files of ours. What it would put into /dev/shm, systemd removes when the user who called
        # `up` logs out (RemoveIPC), and then nobody can connect any more.
        "dynamic_shared_memory_type": "mmap",
        # A container may be offered the node's huge pages and not be allowed one: a bus error.
        "huge_pages": "off",
        "jit": "off",  # our statements are short: compiling them costs more than running them
        # A storm of texts touches a page per index entry, and each is logged whole after a
        # checkpoint: compressing them (pglz is all these builds have) took nine tenths of the time,
        # and a checkpoint at every half gigabyte of log a third of what was left.
        "wal_compression": "off",
        "max_wal_size": f"{wal_mb(free_bytes(layout.data))}MB",
        "idle_in_transaction_session_timeout": "30s",  # an open one makes claims 19 times slower
        "timezone": "UTC",
        "log_timezone": "UTC",
        "lc_messages": "C",  # we read the log for known causes
        "log_checkpoints": "off",
        "max_logical_replication_workers": "0",  # nobody subscribes; one process less
        "cluster_name": "swarm",
    }
    if binaries.major >= _TRANSACTION_TIMEOUT_SINCE:
        settings["transaction_timeout"] = "60s"
    if binaries.major >= _IO_WORKERS_SINCE:
        settings["io_method"] = "sync"  # short reads gain nothing from three more processes
    settings.update(extra)
    arguments = [str(binaries.postgres), "-D", str(layout.cluster)]
    for name, value in settings.items():
        arguments += ["-c", f"{name}={value}"]
    return arguments


def shared_buffers_mb(memory: int) -> int:
    """A quarter of `memory` (bytes), at most 1 GB; with less, full-page images cost five times.

    With two, a million alike texts come in a tenth faster, and each start takes a third longer.
    """
    return max(16, min(memory // 4, 1024 * _MEGABYTE) // _MEGABYTE)


def wal_mb(free: int) -> int:
    """A tenth of the free disk space (bytes), from 256 MB to 4 GB: what the log may grow to.

    A server that was killed reads back half of it at most: 1.6 GB took 7 s.
    """
    return max(256, min(free // 10, 4096 * _MEGABYTE) // _MEGABYTE)


def memory_bytes(cgroup: Path = Path("/sys/fs/cgroup/memory.max")) -> int:
    """The memory of this machine, or of this container when it has a smaller limit."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = int(cgroup.read_text(encoding="ascii"))
    except (OSError, ValueError):  # no cgroup, or "max"
        return total
    return min(total, limit)


def _quoted_directory(folder: Path) -> str:
    # A list of directories: quotes keep commas and spaces inside one of them.
    return '"' + str(folder).replace('"', '""') + '"'
