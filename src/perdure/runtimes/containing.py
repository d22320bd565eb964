"""The one place below the processes where a bug is caught: it is logged, and told as a value."""

from typing import Final

import structlog

log: Final = structlog.get_logger("perdure.bugs")


class containing:  # noqa: N801 - reads as `with containing("program"):`
    """Keep a bug from going further up: it is logged with its trace, and named in `bug`."""

    __slots__ = ("_facts", "_what", "bug")

    def __init__(self, what: str, **facts: object) -> None:
        """Say what the work is, and about what."""
        self._what, self._facts = what, facts
        self.bug: str | None = None

    def __enter__(self) -> "containing":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, bug: BaseException | None, trace: object
    ) -> bool:
        if not isinstance(bug, Exception):  # a cancellation is no bug, and goes on
            return False
        self.bug = type(bug).__name__
        log.error("bug", what=self._what, exc_info=bug, **self._facts)
        return True
