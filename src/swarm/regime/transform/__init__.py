"""Observations in the measure that the detectors need: ranks and normal scores of a reference."""
