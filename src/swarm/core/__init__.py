"""The loop, decided on paper. Pure: no clock, no randomness, no logging, no await."""
