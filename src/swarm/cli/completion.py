"""`swarmctl completion`: the completion script for a shell."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from swarm.cli.output import emit

Shell = Annotated[
    Literal["bash", "zsh", "fish", "powershell"], Parameter(help="The shell to complete for.")
]


def completion(shell: Shell, /) -> None:
    """Print the completion script for a shell. Writes no file.

    Verbs and options are in the script; ids and names are asked for at each TAB, and only while
    a controller runs, so that TAB never starts a database.

    Exit status: 0 printed; 2 no such shell.

    Example: swarmctl completion bash > ~/.local/share/bash-completion/completions/swarmctl
    """
    from swarm.cli.app import make_app  # noqa: PLC0415 - the tree imports this verb lazily

    emit(make_app().generate_completion(shell=shell).rstrip())
