"""One folder per outside system; they never import each other."""
