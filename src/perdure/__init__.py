"""Perdure: a gateway-first control plane for durable agents and flows."""

__version__ = "0.1.0"
