"""The sequential analysis of a canary: counts in, verdict out."""
