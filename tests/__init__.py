"""The suites: a mirror of `src/perdure`, and beside it the journeys, the house rules and support."""
