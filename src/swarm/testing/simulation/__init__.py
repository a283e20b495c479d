"""The real shell under virtual time: seeded faults, simulated twins of every port, one verdict."""
