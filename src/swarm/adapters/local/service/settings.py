"""What the installation file says about one local service."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import Field, field_validator

from swarm.contract.rules import Span
from swarm.ports.source_settings import Name, SettingsBlock

_Wait = Annotated[timedelta, Span(least="100ms", most="10m")]
_Path = Annotated[str, Field(pattern=r"^/[\x21-\x7e]*$", max_length=500)]
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
PLACEHOLDERS = frozenset({"port", "revision", "checkout", "target", "python"})
_ENV_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")
#: Ours; a value from the file would hide which revision a process is.
RESERVED_ENV = frozenset({"PORT", "SWARM_REVISION", "SWARM_TARGET", "SWARM_SERVICE"})


class ServiceSettings(SettingsBlock):
    """One service: how a version of it is started, and how it is asked."""

    name: Name = Field(description="What the target is called; the table's own name.")
    port: int = Field(ge=1, le=65_535, description="Public port on loopback; the proxy has it.")
    run: tuple[str, ...] = Field(
        min_length=1,
        max_length=100,
        description="The command of a version: a list, never a shell. {port}, {revision},"
        " {checkout}, {target} and {python} are filled in; PORT and SWARM_REVISION are set too.",
        examples=[["python3", "serve.py", "--port", "{port}"]],
    )
    env: dict[str, str] = Field(
        default={}, max_length=100, description="Environment of every version."
    )
    pass_env: tuple[str, ...] = Field(
        default=("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR"),
        max_length=100,
        description="Names that are passed on from the controller's environment; no others are.",
    )
    health_path: _Path = Field(
        default="/", description="Answers 2xx once the version can take traffic."
    )
    version_path: _Path | None = Field(
        default=None,
        description="Answers the revision, as text or as JSON with a `revision`. Unset: the"
        " environment of the listening process is read (Linux).",
    )
    start_within: _Wait = Field(
        default=timedelta(seconds=30), description="Longest time until a version is healthy."
    )
    stop_within: _Wait = Field(
        default=timedelta(seconds=10),
        description="Time to finish open requests, and again to end after SIGTERM.",
    )
    request_timeout: _Wait = Field(
        default=timedelta(seconds=30),
        description="Longest silence of a version within one request; then it counts as an error.",
    )

    @field_validator("run")
    @classmethod
    def _known_placeholders(cls, run: tuple[str, ...]) -> tuple[str, ...]:
        for part in run:
            if "\0" in part or not part:
                msg = "a part of the command is empty or holds a NUL byte"
                raise ValueError(msg)
            for name in _PLACEHOLDER.findall(part):
                if name not in PLACEHOLDERS:
                    known = ", ".join(f"{{{p}}}" for p in sorted(PLACEHOLDERS))
                    msg = f"{{{name}}} is not filled in here; known are {known}"
                    raise ValueError(msg)
        return run

    @field_validator("env")
    @classmethod
    def _usable_env(cls, env: dict[str, str]) -> dict[str, str]:
        for name, value in env.items():
            if not _ENV_NAME.match(name) or "\0" in value:
                msg = f"{name!r} cannot be an environment variable"
                raise ValueError(msg)
            if name in RESERVED_ENV:
                msg = f"{name} is set by the controller and tells what a process runs"
                raise ValueError(msg)
        return env


def fill(part: str, values: dict[str, str]) -> str:
    """One part of the command with its placeholders filled in, each once and never again."""
    return _PLACEHOLDER.sub(lambda found: values.get(found.group(1), found.group(0)), part)
