"""`python -m swarm.cli`, for where the console script is not on PATH."""

from __future__ import annotations

from swarm.cli import main

if __name__ == "__main__":
    main()
