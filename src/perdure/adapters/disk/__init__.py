"""Bytes by their hash in a folder."""
