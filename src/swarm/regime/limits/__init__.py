"""What trading may do at most: a signed LimitSet, limits by regime, and who may change them."""
