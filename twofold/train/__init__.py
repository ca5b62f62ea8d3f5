"""The one loop, and what it keeps: averages, checkpoints, the log."""
