"""The locks hold what pyproject.toml asks for, by hash, and agree with each other."""

from __future__ import annotations

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from environment import ALL_LOCKS
from tree import ROOT, text

PROJECT = tomllib.loads(text(ROOT / "pyproject.toml"))
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)


def pins(name: str) -> dict[str, set[str]]:
    """The pinned versions by package; more than one where they differ by Python version."""
    found: dict[str, set[str]] = {}
    for package, version in PIN.findall(text(ROOT / name)):
        found.setdefault(canonicalize_name(package), set()).add(version)
    return found


def group(name: str) -> list[str]:
    """The requirements of a dependency group with the groups that it includes."""
    found = []
    for entry in PROJECT["dependency-groups"][name]:
        found += [entry] if isinstance(entry, str) else group(entry["include-group"])
    return found


RUNTIME = PROJECT["project"]["dependencies"]
WANTED = {
    "requirements.lock": RUNTIME,
    "requirements-build.lock": group("build"),
    "requirements-dev.lock": RUNTIME + group("dev"),
    "requirements-bench.lock": RUNTIME + group("bench"),
}


@pytest.mark.parametrize("name", ALL_LOCKS)
def test_a_lock_holds_what_is_asked_for(name):
    have = pins(name)
    missing = []
    for requirement in map(Requirement, WANTED[name]):
        versions = have.get(canonicalize_name(requirement.name), set())
        if not versions or not all(
            requirement.specifier.contains(one, prereleases=True) for one in versions
        ):
            missing.append(f"{requirement} (locked: {', '.join(versions) or 'not at all'})")
    assert not missing, f"{name} is stale, run `python tools/lock.py`: {'; '.join(missing)}"


@pytest.mark.parametrize("name", ALL_LOCKS)
def test_every_package_is_locked_by_hash(name):
    for entry in re.split(r"\n(?=\S)", text(ROOT / name).strip()):
        if not entry.startswith("#"):
            assert "--hash=sha256:" in entry, f"{name}: no hash for {entry.splitlines()[0]}"


def test_a_package_has_one_version_in_all_locks():
    """Or installing one level of environment over another would change what was tested."""
    largest = pins("requirements-bench.lock")
    for name in ALL_LOCKS:
        for package, versions in pins(name).items():
            assert versions == largest[package], f"{name}: {package}"


@pytest.mark.parametrize("requirement", [*RUNTIME, *group("bench")])
def test_every_dependency_has_a_cap(requirement):
    """This product runs unattended: an upgrade over a major release is a decision."""
    specifier = Requirement(requirement).specifier
    by_date = Requirement(requirement).name == "publicsuffixlist"  # data, versioned by its date
    assert by_date or any(part.operator in {"<", "==", "~="} for part in specifier), requirement
