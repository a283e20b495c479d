"""This machine: git on disk, agent and check commands, a service behind a local canary."""
