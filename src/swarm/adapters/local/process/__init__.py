"""Supervised commands that outlive the controller and are adopted again after its restart."""
