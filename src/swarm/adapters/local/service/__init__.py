"""A service of this machine: stable and new version as real processes behind a weighted proxy."""
