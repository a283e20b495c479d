"""The environment of a command: nothing is inherited but what is named, and no credential is.

A name is a credential when it looks like one; those a tool really needs are named twice, as
allowed and as the tool's own. Keys of model providers (`..._API_KEY`) are the exception that
agents live on: naming one is enough.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

NAME = r"^[A-Za-z_][A-Za-z0-9_]{0,127}$"

#: Set for every command here, so these cannot be taken over from outside.
RESERVED = frozenset({"PATH", "HOME", "TMPDIR", "SWARM_JOB", "GIT_CEILING_DIRECTORIES"})

_MODEL_KEY = re.compile(r"^[A-Z0-9_]+_API_KEY$")
_CREDENTIAL = re.compile(
    r"TOKEN|SECRET|PASSW(?:OR)?D|PASSPHRASE|CREDENTIAL|PRIVATE_?KEY|ACCESS_?KEY|API_?KEY|_KEY$"
    r"|_AUTH$|^(?:AWS|AZURE|ARM|GOOGLE|GCLOUD|VAULT|PG|SWARM|DOCKER|TWINE|UV_PUBLISH|GIT)_"
    r"|^(?:SSH_AUTH_SOCK|SSH_ASKPASS|GIT_ASKPASS|KUBECONFIG|DATABASE_URL|NETRC|PGPASSFILE|PGSERVICE)$",
    re.IGNORECASE,
)

#: What a credential looks like by its value, whatever its variable is called.
_VALUE = re.compile(
    r"^(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|(?:AKIA|ASIA)[A-Z0-9]{16}"
    r"|xox[abposr]-[\w-]{10,}|npm_[A-Za-z0-9]{30,}|pypi-[\w-]{30,}|-----BEGIN [A-Z ]*PRIVATE KEY)"
)


#: No colours, no questions, and no files beside the sources that nobody asked for.
_FIXED = {
    "LANG": "C.UTF-8",
    "CI": "true",
    "NO_COLOR": "1",
    "TERM": "dumb",
    "PYTHONDONTWRITEBYTECODE": "1",
}

#: Where people's credentials lie, below their home folder.
_CREDENTIAL_FILES = (
    *(".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker", ".netrc", ".git-credentials"),
    *(".npmrc", ".pypirc", ".pgpass", ".password-store", ".terraform.d", ".config/gcloud"),
    *(".config/gh", ".config/hub", ".config/git/credentials", ".config/op", ".config/rclone"),
    *(".config/sops", ".config/containers", ".cargo/credentials.toml", ".m2/settings.xml"),
    *(".gem/credentials", ".local/share/keyrings"),
)


def credential_files(home: Path) -> tuple[Path, ...]:
    """Files and folders below a home folder that no agent and no check may read."""
    return tuple(home / name for name in _CREDENTIAL_FILES)


def is_credential(name: str) -> bool:
    """True when a variable of this name probably holds a credential that no agent may have."""
    return bool(_CREDENTIAL.search(name)) and not _MODEL_KEY.match(name)


def refused_names(names: Sequence[str], own: Sequence[str]) -> list[str]:
    """What is wrong with an allow-list, one sentence for each name; empty when it may be used."""
    found = [f"{name} is set by Swarm itself" for name in names if name in RESERVED]
    found += [
        f"{name} looks like a credential; list it in own_credentials too if the tool itself"
        " needs it, or leave it out"
        for name in names
        if is_credential(name) and name not in own
    ]
    found += [f"{name} is in own_credentials but not in env" for name in own if name not in names]
    return found


def leaked_values(env: Mapping[str, str], own: Sequence[str]) -> list[str]:
    """Names whose value is a credential by its form, though the tool did not claim them."""
    return [name for name, value in env.items() if name not in own and _VALUE.match(value)]


def build(
    names: Sequence[str], path: Sequence[Path] = (), source: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """The environment with the named variables, as far as they are set in `source`.

    path: folders to look in for programs before the controller's own PATH. HOME and TMPDIR are
    added when a job starts.
    """
    env = {name: source[name] for name in names if name in source and name not in RESERVED}
    # Tools that were installed beside this Python are found, also when its venv is not active.
    beside = str(Path(sys.executable).parent)
    env["PATH"] = os.pathsep.join((*map(str, path), source.get("PATH", os.defpath), beside))
    return _FIXED | env


def secret_values(env: Mapping[str, str], names: Sequence[str]) -> list[str]:
    """Values that must not appear in anything that is kept: those of model keys and own ones."""
    return [
        value
        for name in names
        if (value := env.get(name, "")) and (is_credential(name) or _MODEL_KEY.match(name))
    ]
