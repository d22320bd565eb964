"""Code of flows, run in a real Python that reaches nothing of the host."""
