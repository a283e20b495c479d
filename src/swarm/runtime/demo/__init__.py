"""The demo: a sample repository, a real loop, three missions with three endings."""
