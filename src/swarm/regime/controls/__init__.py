"""Pre-trade and emergency controls: a gate before every order, and how to stop."""
