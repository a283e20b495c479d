"""Swarm: one object states the intent; machine gates stand between an idea and production."""

__version__ = "0.1.0"
