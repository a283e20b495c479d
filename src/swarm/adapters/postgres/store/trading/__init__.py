"""What the trading controls remember: the chain of records, limit sets, evidence, assessments."""
