"""Sources on this machine: commands that report findings, and result files of tests."""
