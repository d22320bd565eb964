"""A small real model that comes along, so that the first run needs no key and no network."""
