"""Signals from elsewhere: feeds and JSON over HTTP, alerts, behind one egress guard."""
