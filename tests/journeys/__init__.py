"""Whole processes, killed and started again: what was acknowledged is there, and nothing is done twice."""
