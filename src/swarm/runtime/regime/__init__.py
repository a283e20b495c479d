"""The regime runtime on files: read prices, fit a model, replay, score, explain, draw."""
