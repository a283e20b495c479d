"""Gifts for adapter writers: a simulated world and clock, builders, contract suites."""
