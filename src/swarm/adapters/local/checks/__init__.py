"""Required checks: configured commands on exact commits, in clean checkouts."""
