"""Models: the effect `llm_call`, the providers that answer it, and what is known of them.

`feature.py` has what the composition root takes; nothing here is imported by being looked at, so
that a command which only fetches the embedded model starts without the web's libraries.
"""
