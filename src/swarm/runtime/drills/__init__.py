"""Drills: break one thing on purpose, in a sandbox, and compare what happens with the contract."""
