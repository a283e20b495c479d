"""What the regime runtime remembers: observations, states by cycle, transitions, trials, rungs."""
