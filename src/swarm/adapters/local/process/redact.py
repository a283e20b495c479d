r"""What a command printed, made fit to be kept and shown: short, plain, without secrets.

Secrets are masked by their value where it is known and by their form where it is not; control
characters become `\x1b`-like, so that no terminal obeys what an agent or a test printed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from swarm.adapters.local.process.folder import result_in
from swarm.core.policy.intake_text import printable

_HINT = (
    "(hint: it may write only to its checkout, HOME and TMPDIR, and read no credential file;"
    " `writable` or `confine` in swarm.toml changes that)"
)
MASK = "[masked]"
_LEFT_OUT = "[... the beginning is left out ...]\n"
_SHORTEST_VALUE = 6

_FORMS = (
    re.compile(
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL
    ),
    re.compile(r"\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}"),
    re.compile(r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b"),
    re.compile(r"\bsk-[A-Za-z0-9_-]{20,}|\bAIza[\w-]{30,}|\bxox[abposr]-[\w-]{10,}"),
    re.compile(r"\bnpm_[A-Za-z0-9]{30,}|\bpypi-[\w-]{30,}|\b[rs]k_live_\w{16,}|\bSG\.[\w.-]{30,}"),
    re.compile(r"\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{5,}"),
    re.compile(r"(?<=://)[^\s/@:]{1,200}:[^\s/@]{3,200}(?=@)"),
    re.compile(
        r"(?i)(?<=authorization: )(?:basic|bearer|token) [\w.~+/=-]{8,}"
        r"|\b(?<=password=)[^\s&;\"']{6,}|(?<=secret=)[^\s&;\"']{6,}|(?<=token=)[^\s&;\"']{6,}"
    ),
)


def masked(text: str, values: Sequence[str] = ()) -> str:
    """The text with every known value and every secret of a known form replaced."""
    for value in sorted(values, key=len, reverse=True):
        if len(value) >= _SHORTEST_VALUE:
            text = text.replace(value, MASK)
    for form in _FORMS:
        text = form.sub(MASK, text)
    return text


def plain(text: str) -> str:
    """The text with line ends and tabs as they are and every other control character visible."""
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join("\t".join(printable(part) for part in line.split("\t")) for line in lines)


def tail(text: str, size: int) -> str:
    """At most `size` bytes of UTF-8 from the end, beginning at a line where possible."""
    data = text.encode("utf-8", "replace")
    if len(data) <= size:
        return text
    room = max(0, size - len(_LEFT_OUT))
    kept = data[len(data) - room :].decode("utf-8", "ignore")
    line = kept.find("\n")
    return _LEFT_OUT + (kept[line + 1 :] if 0 <= line < len(kept) // 2 else kept)


def read_tail(path: Path, size: int) -> str:
    """The end of a file as text, at most `size` bytes; "" when there is none."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - size))
            return file.read(size).decode("utf-8", "replace")
    except OSError:
        return ""


def kept_output(generation: Path, size: int, values: Sequence[str] = ()) -> str:
    """The end of what a job printed, both streams, masked, plain and at most `size` bytes.

    Begins with a hint where the job was confined and was denied something.
    """
    result = result_in(generation)
    if result is not None and result.confined:
        said = read_tail(generation / "stdout", 8 * size) + read_tail(
            generation / "stderr", 8 * size
        )
        if "Permission denied" in said or "PermissionError" in said:
            return f"{_HINT}\n{_both(generation, size - len(_HINT) - 1, values)}"
    return _both(generation, size, values)


def _both(generation: Path, size: int, values: Sequence[str]) -> str:
    # Eight times: escaping makes text longer, and masking must see what the cut would split.
    out = read_tail(generation / "stdout", 8 * size).rstrip()
    err = read_tail(generation / "stderr", 8 * size).rstrip()
    parts = [text for text in (out, err) if text]
    clean = [plain(masked(text, values)) for text in parts]
    if len(clean) == 1:
        return tail(clean[0], size)
    # Each stream keeps at least a third, however much the other one printed.
    third = size // 3
    shorter = min((len(text.encode()) for text in clean), default=0)
    room = max(third, size - shorter - 1)
    return tail("\n".join(tail(text, room) for text in clean), size)
