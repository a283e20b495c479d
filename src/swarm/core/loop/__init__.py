"""One file per loop step; a loop step knows no other loop step."""
