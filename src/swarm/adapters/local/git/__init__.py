"""A protected main, a merge queue and a patch intake on a private clone of a local repository."""
