"""The words that people write and read: spec, status, verdicts, errors. Pure."""
