"""Six named questions; each a pure function from evidence and policy to a verdict."""
