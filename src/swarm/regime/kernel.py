"""One decorator: a kernel is compiled where numba is installed, and is plain Python elsewhere.

Both give the same bits, because a kernel uses nothing but IEEE + - * / and square root,
comparisons, integers, and `swarm.regime.elementary`. So `fastmath` (which may reorder and contract)
and parallel loops are never asked for. With `NUMBA_DISABLE_JIT=1` plain Python runs in any case.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

numba: Any
try:
    import numba
except ImportError:  # the extra `regime` is not installed
    numba = None

F = TypeVar("F", bound=Callable[..., Any])


def _sources() -> str:
    """What all kernels are made of, as one digest: every file that has one."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        if b"regime.kernel import" in (source := path.read_bytes()):
            digest.update(source)
    return digest.hexdigest()


_SOURCES = _sources()


def compiled(function: F) -> F:
    """The function as machine code, compiled at its first call and kept on disk; or as it is.

    numba keeps machine code until the *file of that function* changes. A kernel that has another
    file's kernel built into it would go on with the old one after an upgrade, and two machines of
    one version would differ in their bits; so the stamp here is that of all kernels together.
    Where nothing can be kept on disk, each process compiles anew.
    """
    return _made(function, counted=True)


def inner(function: F) -> F:
    """`compiled`, for kernels that are called by kernels and make no array: twice as quick.

    Elsewhere numba counts who holds an array, with an atomic instruction for every slice; what
    makes no array needs no count. One that does make an array fails to compile, and says so.
    """
    return _made(function, counted=False)


def is_ready(kernel: Callable[..., Any]) -> bool:
    """Whether its first call is quick: it is plain Python, or its machine code is there."""
    kept = getattr(getattr(kernel, "_cache", None), "_cache_file", None)
    on_disk = kept is not None and bool(kept._load_index())  # noqa: SLF001 - as in `_made`
    return on_disk or bool(getattr(kernel, "signatures", True))


def _made(function: F, *, counted: bool) -> F:
    if numba is None:
        return function
    options = {"error_model": "numpy", "_nrt": counted}
    try:
        made: Any = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no folder to keep it in can be written
        made = numba.njit(**options)(function)
    if kept := getattr(getattr(made, "_cache", None), "_cache_file", None):
        kept._source_stamp = _SOURCES  # noqa: SLF001 - numba has no public place; a test holds it
    return made  # type: ignore[no-any-return]
