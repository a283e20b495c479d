"""When the active regime changes, and how much we dare meanwhile: label and posture, kept apart."""
