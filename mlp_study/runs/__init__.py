"""Runs and studies as values, and what they leave in their directories, read back. torch is not needed."""
