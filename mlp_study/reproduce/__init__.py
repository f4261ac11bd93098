"""Re-run what the documents claim, and say what holds. The verdicts are computed from run directories."""
