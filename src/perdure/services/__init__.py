"""The use cases, one module a resource, free of any transport."""
