"""The demo's deterministic agents. They edit files as any agent would; no model is asked.

python -m swarm.runtime.demo.agents slow      inject a labelled delay into the handler
python -m swarm.runtime.demo.agents utcnow    replace datetime.utcnow by an aware now
"""

from __future__ import annotations

import sys
from pathlib import Path

SERVICE, CLOCK = Path("orders/service.py"), Path("orders/clock.py")
DELAY_SECONDS = 1.0


def slow(root: Path) -> None:
    """The injected bad patch: every list takes a second longer, and tests stay green."""
    path = root / SERVICE
    line = '    if path.startswith("/orders"):\n'
    delay = f"        await asyncio.sleep({DELAY_SECONDS})  # injected by the demo\n"
    text = path.read_text(encoding="utf-8")
    if delay not in text:
        path.write_text(text.replace(line, line + delay), encoding="utf-8")


def utcnow(root: Path) -> None:
    """An honest small change: an aware time, printed as before."""
    path = root / CLOCK
    text = path.read_text(encoding="utf-8")
    text = text.replace("from datetime import datetime\n", "from datetime import UTC, datetime\n")
    aware = 'datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")'
    naive = 'datetime.utcnow().isoformat(timespec="milliseconds")'
    path.write_text(text.replace(naive, aware), encoding="utf-8")


AGENTS = {"slow": slow, "utcnow": utcnow}

if __name__ == "__main__":
    AGENTS[sys.argv[1]](Path.cwd())
