"""Which of a few hidden regimes a series is in: the Markov-switching filter, and how it is fitted.

`params`, `filter` and `predictive` are the runtime: bounded, compiled, the same bits everywhere.
`fit` and what it calls run offline; their result is a stored, hashed set of parameters, so nothing
there has to give the same bits twice on two machines.
"""
