"""The shell: wake, observe, tick, act. It decides nothing."""
