"""Structured logs: one JSON line per event, ids as fields, secrets and control codes never.

A log is worth less than the work that it tells of: it takes a bounded part of the disk, and where
it cannot be written, the work goes on.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

import structlog

_SECRET_NAME = re.compile(r"(?i)(token|secret|password|passwd|api_?key|authorization|dsn)")
_SECRET_VALUE = re.compile(
    r"(?i)(postgres(?:ql)?://[^\s:@]+:)[^\s@]+(@)|\b(gh[pousr]_|sk-|xox[abp]-)[A-Za-z0-9_-]{8,}"
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
LONGEST_FIELD = 2_000
#: A mission writes about 10 KB: together the last six thousand, on 64 MB.
LARGEST, OLDER_KEPT = 16 * 1024 * 1024, 3


def configure(
    log_file: Path | None = None, *, level: int = logging.INFO, largest: int = LARGEST
) -> None:
    """Send events as JSON lines to a file, or to stderr.

    largest: bytes; a file that would grow beyond is moved to NAME.1, older ones to NAME.2 and
             NAME.3, and what was NAME.3 is gone.
    """
    # It warns of every connection that ended in use; StoreLost says that once, and with its reason.
    logging.getLogger("psycopg").setLevel(logging.ERROR)
    handler = (
        logging.StreamHandler(sys.stderr)
        if log_file is None
        else RotatingFileHandler(
            log_file, maxBytes=largest, backupCount=OLDER_KEPT, encoding="utf-8"
        )
    )
    lines = logging.getLogger("swarm")
    lines.handlers, lines.propagate = [handler], False
    lines.setLevel(level)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _redact,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=True,
    )


def _redact(_: Any, __: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    return {key: _clean(key, value) for key, value in event.items()}


def _clean(key: str, value: Any) -> Any:
    if _SECRET_NAME.search(key):
        return "***"
    if not isinstance(value, str):
        return value
    masked = _SECRET_VALUE.sub(lambda found: f"{found[1] or found[3]}***{found[2] or ''}", value)
    visible = _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", masked)
    return visible[:LONGEST_FIELD]
