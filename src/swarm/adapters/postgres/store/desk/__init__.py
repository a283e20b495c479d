"""What people ask of the store and do to it: the commands of `swarmctl`, one module per noun."""
