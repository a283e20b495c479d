"""What process 1 of a container owes it: to collect the ends of processes that lost their parent.

The supervisor of a job outlives whoever started it, and so falls to process 1. A controller that
is it would keep each as a zombie, until the container has no room for another process.
"""

from __future__ import annotations

import os
import signal
from types import FrameType

_PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)


def be_apart_from_it() -> None:
    """Return in a process that is not the first one; to be called before there are threads.

    The first one stays here, passes on what it is told, and ends as the other does.
    """
    if os.getpid() != 1:
        return
    # Held back until there is somebody to pass them on to, and open again in that one.
    signal.pthread_sigmask(signal.SIG_BLOCK, _PASSED_ON)
    child = os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _PASSED_ON)
        return

    def pass_on(number: int, _frame: FrameType | None) -> None:
        os.kill(child, number)

    for number in _PASSED_ON:
        signal.signal(number, pass_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _PASSED_ON)
    while True:
        ended, status = os.wait()
        if ended == child:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)
