"""Signature and provenance of exact commits, verified with keys that the owner configured."""
