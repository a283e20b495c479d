"""Agent commands: any argument list on a clean clone; its difference is taken, nothing else is."""
