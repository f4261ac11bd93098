"""Figures drawn from run directories and nothing else: matplotlib, pandas, no torch."""
