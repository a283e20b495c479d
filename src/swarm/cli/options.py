"""Options that many verbs share, each defined once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from swarm.cli.output import Form

Output = Annotated[Form, Parameter(name=["--output", "-o"], help="Form of the output.")]
File = Annotated[
    str, Parameter(name=["--file", "-f"], help="Manifest to read; - is standard input.")
]
Home = Annotated[
    Path | None,
    Parameter(name="--home", help="Folder of the installation; default: where swarm.toml is."),
]
Reason = Annotated[str, Parameter(name="--reason", help="Why; kept in the audit trail.")]
Swarm = Annotated[
    str, Parameter(name=["--swarm", "-s"], help="Which Swarm; not needed when there is one.")
]
