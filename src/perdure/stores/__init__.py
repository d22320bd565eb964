"""Promises about durable data: one Protocol a noun, no implementation."""
