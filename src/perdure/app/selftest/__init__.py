"""The trial of isolation: what every route tells those whom a thing is none of."""
