"""A gateway in user mode to hold a trial at, on either database, in this process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
from structlog.testing import capture_logs

from perdure.adapters.sql import sqlite
from perdure.app import planes
from perdure.app.build import App, build
from perdure.app.settings import read_settings
from tests.support.gateway import served


def hasten(monkeypatch: Any) -> None:
    """Wait for no disk and no other process: nothing here is about what a cut leaves behind."""
    monkeypatch.setattr(sqlite, "SYNCHRONOUS", dict.fromkeys(sqlite.SYNCHRONOUS, 0))
    monkeypatch.setattr(planes, "LICENSE_S", 0.0)


@asynccontextmanager
async def a_gateway_of_many(folder: Path, **settings: Any) -> AsyncIterator[tuple[App, str]]:
    """The program in user mode, at work; and where it is. It does nothing by itself for a long time."""
    given: dict[str, Any] = {
        "user_auth": True, "embedded_model": False, "poll_s": 3_600, "log_level": "error",
        "host": "0.0.0.0", **settings,  # which opens nothing: the test has a port of its own on loopback
    }  # fmt: skip
    async with (
        build(read_settings(data_dir=folder, **given)) as app,
        anyio.create_task_group() as group,
    ):
        assert app.runner is not None
        group.start_soon(app.runner.serve)
        with capture_logs():
            async with served(app.api) as url:
                yield app, url
        app.closing.close()
        app.runner.stop()


def stop(app: App) -> None:
    """Let nothing move any more, so that the stores are asked by requests alone."""
    assert app.runner is not None
    app.runner.stop()
