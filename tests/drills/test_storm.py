"""A storm: ten thousand signals of forty causes, beside sources that are broken and hostile."""

import json
import sys
import time
from collections import Counter

import pytest

from swarm.adapters.postgres.database import Database

pytestmark = [pytest.mark.slow, pytest.mark.req("LOOP-3")]
SIGNALS, CAUSES = 10_000, 40
NAMES = (
    *("amber", "basil", "cedar", "delta", "ember", "fjord", "grove", "haven", "inlet", "jetty"),
    *("kayak", "lemon", "maple", "nylon", "olive", "pearl", "quilt", "raven", "sable", "tulip"),
)

HOSTILE = """
import os, sys
out = sys.stdout.buffer
out.write(b'{"id": "x", "title": "' + b"A" * 300_000 + b'"}\\n')
out.write(b"\\xff\\xfe\\x00 not text\\n[[[[[[\\n" * 2000)
out.write(b'{"id": "y", "title": 5, "paths": ["../../etc/passwd"]}\\n' * 2000)
while True:
    out.write(b"{" * 65536)
"""


def storm(folder, source):
    """What one source says: half of the causes as findings, half in words that never repeat."""
    lines = []
    for number in range(SIGNALS // 2):
        cause = number % CAUSES
        told = {"id": f"{source}-{number}", "citation": f"src/value.py:{1 + number % 7}"}
        if cause < CAUSES // 2:
            told |= {
                "title": f"finding {number} of {source}",
                "rule": f"R{cause:03}",
                "paths": ["src/value.py"],
            }
        else:
            name = NAMES[cause - CAUSES // 2]
            told["title"] = f"worker {number}: queue {name} is stuck since 12:{number % 60:02}"
        lines.append(json.dumps(told))
    (folder / f"{source}.jsonl").write_text("\n".join(lines) + "\n")


async def count(url, text):
    async def read(connection):
        return (await (await connection.execute(text)).fetchone())[0]

    async with Database(url, size=1) as database:
        return await database.run(read)


async def test_ten_thousand_signals_of_forty_causes_are_forty_needs(installation, record_property):
    installation.agent("slow", "sleep 300")
    installation.check("tests", "true")
    for source in ("one", "two"):
        storm(installation.folder, source)
    installation.source("broken", ["sh", "-c", "echo half a line; exit 3"])
    installation.source("hostile", [sys.executable, "-c", HOSTILE], timeout="5s")
    installation.source("silent", ["sleep", "300"], timeout="1s")
    begun = time.monotonic()
    async with installation.serving() as serving:
        while await count(installation.url, "select count(*) from signal") < SIGNALS:
            assert time.monotonic() - begun < 60, "the storm is not taken in"
            assert not serving.done()
        took = time.monotonic() - begun
        needs = await installation.until("needs", lambda rows: len(rows) >= CAUSES)
        missions = await installation.until("missions", lambda rows: rows)
        dark = await installation.until(
            "sources", lambda rows: len([row for row in rows if row["dark_since"]]) == 3, 90
        )
        # By now everything was said again, and was known.
        for source in ("one", "two"):
            await installation.wait_for(lambda s=source: installation.started(f"read-{s}") > 1)
        again = await installation.until("needs", lambda rows: rows)
    record_property("seconds to take in the storm", round(took, 2))
    assert len(needs) == len(again) == CAUSES
    assert await count(installation.url, "select count(*) from signal") == SIGNALS
    assert max(Counter(mission["need"] for mission in missions).values()) == 1
    assert {row["name"] for row in dark if row["dark_since"]} == {"broken", "hostile", "silent"}
