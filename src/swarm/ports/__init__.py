"""What we need from the world: small protocols named after the need."""
