"""Whether a series remembers for long, or only looks so because its regime switches.

Both leave the same estimate of d behind (Diebold and Inoue 2001), so both are tested as hypotheses
of their own, before anybody gives capital to a regime.
"""
