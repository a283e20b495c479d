"""Which process really listens on a port, and which revision its environment names. Linux."""

from __future__ import annotations

from contextlib import suppress

from swarm.adapters.local.process import kernel

_LISTEN = "0A"


def listeners(port: int) -> list[int]:
    """Processes of ours that listen on this port; empty when none does or it is not ours."""
    inodes = _inodes(port)
    if not inodes:
        return []
    wanted = {f"socket:[{inode}]" for inode in inodes}
    return [pid for pid in kernel.all_pids() if _holds(pid, wanted)]


def revision_of(port: int) -> str:
    """SWARM_REVISION in the environment of the process that listens; "" when there is none."""
    for pid in listeners(port):
        with suppress(OSError):
            for pair in (kernel.PROC / str(pid) / "environ").read_bytes().split(b"\0"):
                name, _, value = pair.partition(b"=")
                if name == b"SWARM_REVISION":
                    return value.decode("utf-8", "replace")
    return ""


def _inodes(port: int) -> set[str]:
    found = set()
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            lines = (kernel.PROC / "net" / table).read_text(encoding="ascii").splitlines()[1:]
            for line in lines:
                fields = line.split()
                if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                    found.add(fields[9])
    return found


def _holds(pid: int, wanted: set[str]) -> bool:
    try:
        for handle in (kernel.PROC / str(pid) / "fd").iterdir():
            with suppress(OSError):
                if str(handle.readlink()) in wanted:
                    return True
    except OSError:
        return False
    return False
