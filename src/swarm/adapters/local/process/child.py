"""The last steps of a supervised command before it becomes itself: between fork and exec."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from swarm.adapters.local.process import confine, kernel, network


def _open_stdin(path: str | None) -> int:
    return os.open(path or os.devnull, os.O_RDONLY)


def _most_threads(processes: int) -> int | None:
    """RLIMIT_NPROC counts the threads of a user, not of a job; None where they cannot be seen.

    In a container the kernel counts those of all containers in which this user id is at work, and
    a neighbour's would take all that a command may have. Source: PROC_PID_INIT_INO, proc_ns.h.
    """
    with contextlib.suppress(OSError):  # a kernel without such namespaces
        if (kernel.PROC / "self/ns/pid").readlink() != Path("pid:[4026531836]"):
            return None
    return _threads_of_this_user() + 4 * processes


def _threads_of_this_user() -> int:
    total = 0
    for pid in kernel.all_pids() if kernel.LINUX else []:
        folder = kernel.PROC / str(pid)
        with contextlib.suppress(OSError):
            if folder.stat().st_uid == os.getuid():
                total += sum(1 for _thread in (folder / "task").iterdir())
    return total


def _limit(limits: Mapping[str, Any]) -> None:
    wanted = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: limits["file_bytes"],
        resource.RLIMIT_AS: limits["address_space"],
        # A second wall behind the supervisor's count, wide enough for commands with threads, and
        # no wider: each process of a bomb takes time from who ends it. Root is exempt.
        resource.RLIMIT_NPROC: _most_threads(limits["processes"]),
    }
    for kind, value in wanted.items():
        if value is not None:
            _soft, hard = resource.getrlimit(kind)
            most = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(kind, (most, most))
    os.setpriority(os.PRIO_PROCESS, 0, limits["niceness"])
    # If memory runs out, this goes first and the controller and the database stay.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")


def _confine(spec: Mapping[str, Any], report: int) -> None:
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    if spec["confine"] == "off":
        return
    confine.drop_capabilities()
    own = [Path(path) for path in (spec["tree"], spec["env"]["HOME"], spec["env"]["TMPDIR"])]
    held = confine.restrict(
        own, [Path(p) for p in spec["writable"]], [Path(p) for p in spec["hidden"]]
    )
    if not held and spec["confine"] == "require":
        raise OSError("this kernel has no Landlock, and confine is 'require'")
    os.write(report, f"={held}\n".encode())


def _become(spec: Mapping[str, Any], go: int, report: int, streams: tuple[int, int]) -> None:
    supervisor = os.getppid()
    if not os.read(go, 1):
        os._exit(127)  # the supervisor died before it had put us on record
    step = "prepare"
    try:
        os.setsid()
        os.umask(0o022)
        if spec.get("network") == "none":
            network.cut()  # first: it forgets what is set below
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != supervisor:
            os._exit(127)  # it died just before we asked to die with it
        stdin = _open_stdin(spec["stdin"])
        os.chdir(spec["cwd"])
        _limit(spec["limits"])
        for target, source in enumerate((stdin, *streams)):
            os.dup2(source, target)
        _confine(spec, report)
        for number in (signal.SIGPIPE, signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        step = "execute"
        os.execvpe(spec["argv"][0], spec["argv"], spec["env"])  # noqa: S606 - argv, never a shell
    except OSError as error:
        os.write(report, f"{step} {spec['argv'][0]}: {error.strerror or error}\n".encode())


def fork(
    spec: Mapping[str, Any], streams: tuple[int, int], record: Callable[[int], None]
) -> tuple[int, str, str]:
    """Start the command; `record` is called with its pid before it may run.

    streams: write ends for its standard output and error; closed here.
    returns: (pid, what confines it, why it could not be executed or "").
    """
    go_read, go_write = os.pipe()
    report_read, report_write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(go_write)
        os.close(report_read)
        _child(spec, go_read, report_write, streams)
    for handle in (go_read, report_write, *streams):
        os.close(handle)
    record(pid)
    os.write(go_write, b"1")
    os.close(go_write)
    said = b""
    # Every handle here closes on exec, so this ends when the command runs or has failed to.
    while part := os.read(report_read, 4096):
        said += part
    os.close(report_read)
    confined, failure = "", ""
    for line in said.decode(errors="replace").splitlines():
        if line.startswith("="):
            confined = line[1:]
        else:
            failure = line
    return pid, confined, failure


def _child(spec: Mapping[str, Any], go: int, report: int, streams: tuple[int, int]) -> NoReturn:
    try:
        _become(spec, go, report, streams)
    finally:
        os._exit(127)
