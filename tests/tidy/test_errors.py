"""Every error has a code of its own, a remedy of its own, and lives where its code says."""

from __future__ import annotations

import importlib
import pkgutil
import re
import sys
from collections import Counter
from collections.abc import Iterator

import pytest

import swarm
from swarm.cli.explain import every_error
from swarm.contract.errors import SwarmError

#: Which room may hand out which codes.
HOMES = {
    "SWM0": "swarm.contract.errors",
    "SWM1": "swarm.contract.",
    "SWM2": "swarm.core.",
    "SWM3": "swarm.adapters.postgres.",
    "SWM4": "swarm.adapters.local.",
    "SWM5": "swarm.adapters.feeds.",
    "SWM6": "swarm.runtime.",
    "SWM7": "swarm.cli.",
    "SWM8": "swarm.regime.",
}
#: The exit codes of the command line, by meaning; 2 is a wrong call, which only the CLI can know.
EXIT_CODES = {1, 3, 4, 5, 6, 7, 124, 130}


def faults(kind: type[SwarmError]) -> list[str]:
    """What an error class lacks."""
    found = []
    code, remedy = kind.__dict__.get("code"), kind.__dict__.get("remedy")
    if code is None:
        found.append("has no code of its own")
    elif not re.fullmatch(r"SWM\d{3}", code):
        found.append(f"has the code {code}; SWM and three digits are wanted")
    elif not kind.__module__.startswith(HOMES.get(code[:4], "nowhere")):
        found.append(f"has the code {code}, which belongs to {HOMES.get(code[:4], 'no room')}")
    if remedy is None:
        found.append("has no remedy of its own")
    elif len(remedy) < 12 or not remedy.endswith("."):
        found.append("has a remedy that is no sentence")
    if not kind.__dict__.get("__doc__"):
        found.append("has no docstring")
    if kind.exit_code not in EXIT_CODES | ({2} if (code or "").startswith("SWM7") else set()):
        found.append(f"has exit code {kind.exit_code}, which has no meaning")
    return [f"{kind.__module__}.{kind.__name__} {fault}" for fault in found]


def below(kind: type[SwarmError]) -> Iterator[type[SwarmError]]:
    """Every class that is derived from an error and stands in a module of the product."""
    for derived in kind.__subclasses__():
        if derived.__module__.startswith("swarm.") and derived.__module__ in sys.modules:
            yield derived
        yield from below(derived)


def test_every_error_stands_where_explain_and_the_page_look_for_it():
    """Only modules called `errors` are read, since all of them would take a second."""
    for module in pkgutil.walk_packages(swarm.__path__, prefix="swarm."):
        importlib.import_module(module.name)
    assert {SwarmError, *below(SwarmError)} == set(every_error())


def test_every_error_names_its_remedy():
    found = [fault for kind in every_error() for fault in faults(kind)]
    assert not found, "\n".join(found)


def test_no_two_errors_share_a_code():
    kinds = every_error()
    counts = Counter(kind.code for kind in kinds)
    found = [
        f"{kind.code} {kind.__module__}.{kind.__name__}" for kind in kinds if counts[kind.code] > 1
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        pytest.param({}, "no code of its own", id="no-code"),
        pytest.param({"code": "SWM199"}, "no remedy of its own", id="no-remedy"),
        pytest.param({"code": "SWM1", "remedy": "Do the right thing."}, "three digits", id="short"),
        pytest.param(
            {"code": "SWM301", "remedy": "Do the right thing."}, "belongs to", id="abroad"
        ),
        pytest.param({"code": "SWM199", "remedy": "no."}, "no sentence", id="curt"),
        pytest.param({"exit_code": 2}, "no meaning", id="exit-code-of-a-wrong-call"),
    ],
)
def test_a_careless_error_is_noticed(body, fault):
    kind = type("Careless", (SwarmError,), {"__module__": "swarm.contract.sample", **body})
    assert fault in "\n".join(faults(kind))
