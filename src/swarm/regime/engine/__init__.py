"""One tick of everything for S streams: what it is, how sure, and how much we dare."""
