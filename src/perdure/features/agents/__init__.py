"""Agents: programs that ask a model what to do, do it, and ask again. `feature.py` is what they bring."""
