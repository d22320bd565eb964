"""Bodies as they come and go: what is read, what is answered, and how a value becomes the wire's."""
