"""What really happened, held against what was promised: one checker over journal and trail."""
