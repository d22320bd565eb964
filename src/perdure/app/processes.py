"""The processes: one that serves and runs, started and stopped as a person or a supervisor does it."""

import gc
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

import anyio
import structlog
import uvicorn

from perdure.app.build import App, build
from perdure.app.logs import set_up_logs
from perdure.app.server import Server
from perdure.app.settings import Settings
from perdure.errors import Invalid
from perdure.registry.feature import Feature
from perdure.runner.config import no_probe

log: Final = structlog.get_logger("perdure")

BACKLOG: Final = 2048
Main = Callable[[str], Awaitable[None]]


def silent(_token: str) -> None:
    """Say nothing: the token is in its file."""


def serve(
    settings: Settings,
    *,
    with_runner: bool = True,
    on_ready: Callable[[str], None] | None = None,
    on_first_token: Callable[[str], None] = silent,
    features: Sequence[Feature] = (),
    probe: Callable[[str], None] = no_probe,
) -> None:
    """Serve, and run unless told otherwise, until a signal says stop.

    `on_first_token` is told the first admin's token at the one start that makes them.
    """

    async def main(url: str) -> None:
        if on_ready is not None:
            on_ready(url)

    @asynccontextmanager
    async def telling() -> AsyncIterator[App]:
        async with build(settings, features=features, with_runner=with_runner, probe=probe) as app:
            if app.first_token is not None:
                on_first_token(app.first_token)
            yield app

    _run(_served(settings, main, telling()))


def serve_while(settings: Settings, main: Main) -> None:
    """Serve, do `main` beside it, and go on serving until a signal says stop."""
    _run(_served(settings, main, build(settings)))


def run_runner(settings: Settings) -> None:
    """Run without a face, until a signal says stop. Raises `Invalid` on SQLite."""
    if settings.database_url is None:
        raise Invalid(
            "on SQLite one process holds the plane: a runner beside a server needs Postgres"
            " (PERDURE_DATABASE_URL)"
        )
    _run(_only_running(settings))


def _run(work: Any) -> None:
    async def main() -> None:
        await work

    anyio.run(main, backend_options={"use_uvloop": True})


async def _served(settings: Settings, main: Main, built: AbstractAsyncContextManager[App]) -> None:
    set_up_logs(settings)
    listening = _listening(settings)
    url = _url(settings, listening)
    async with built as app:
        server = _server(app)
        async with anyio.create_task_group() as group:
            beside = anyio.CancelScope()
            group.start_soon(_stop_at_signal, app, server, group, beside)
            async with anyio.create_task_group() as serving:
                if app.runner is not None:
                    serving.start_soon(app.runner.serve)
                serving.start_soon(server.serve, [listening])
                await server.up.wait()
                gc.freeze()  # what was made at start lives as long as the process
                log.info("serving", url=url)
                with beside:
                    await main(url)
            group.cancel_scope.cancel()  # nothing is left to stop


async def _only_running(settings: Settings) -> None:
    set_up_logs(settings)
    async with build(settings) as app, anyio.create_task_group() as group:
        group.start_soon(_stop_at_signal, app, None, group, anyio.CancelScope())
        if app.runner is not None:
            await app.runner.serve()
        group.cancel_scope.cancel()


async def _stop_at_signal(
    app: App, server: Server | None, group: anyio.abc.TaskGroup, beside: anyio.CancelScope
) -> None:
    """Wait for the first signal, end everything in order, and leave at once at the second."""
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        await _next(signals)
        log.info("stopping")
        beside.cancel()
        app.closing.close()
        if app.runner is not None:
            app.runner.stop()
        if server is not None:
            server.end()
        await _next(signals)
        group.cancel_scope.cancel()


async def _next(signals: AsyncIterator[signal.Signals]) -> None:
    async for _ in signals:
        return


def _listening(settings: Settings) -> socket.socket:
    """The socket, bound before anything else is opened: a port that is taken is told at once."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
    except OSError as taken:
        listening.close()
        where = f"{settings.host}:{settings.port}"
        raise Invalid(
            f"cannot listen on {where}: {taken.strerror}; another port is --port or PERDURE_PORT"
        ) from taken
    listening.listen(BACKLOG)
    return listening


def _url(settings: Settings, listening: socket.socket) -> str:
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "") else settings.host
    host = f"[{host}]" if ":" in host else host
    return f"http://{host}:{listening.getsockname()[1]}"


def _server(app: App) -> Server:
    config = uvicorn.Config(
        app.api, log_config=None, access_log=False, lifespan="off", server_header=False, backlog=BACKLOG,
        timeout_graceful_shutdown=max(1, int(app.settings.stop_s)), timeout_keep_alive=75, proxy_headers=False,
        ws="none", http="httptools", interface="asgi3",
    )  # fmt: skip
    return Server(config)
