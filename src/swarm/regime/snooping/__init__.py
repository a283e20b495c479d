"""Whether the best of many trials is better than its baseline, or only the best of many."""
