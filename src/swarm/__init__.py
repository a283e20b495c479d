"""Swarm: one object states the intent; machine gates stand between an idea and production."""
