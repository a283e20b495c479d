"""The order path and the kill switch: the gate's decisions carried out, and nothing else."""
