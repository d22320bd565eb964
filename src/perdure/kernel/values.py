"""The one name by which all say that something is a JSON value."""

from typing import Any

Json = Any  # the one place where the kernel says `Any`
