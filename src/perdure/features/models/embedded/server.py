"""The embedded model's server: a child process, started at the first call and whenever it has died."""

import json
import secrets
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

import anyio
from anyio.abc import Process

from perdure.features.models.effects import Address
from perdure.features.models.embedded.install import MODEL
from perdure.kernel.model import Failed
from perdure.stores.http import HttpFailed, Own

START_S: Final = 120.0
HEALTH_S: Final = 2.0
CLOSE_S: Final = 2.0
SLOTS: Final = 2
CONTEXT: Final = 4096  # tokens of one question and its answer
CHILD: Final = Path(__file__).with_name("child.py")


class _Running(NamedTuple):
    process: Process
    address: Address


class EmbeddedServer:
    """Keeps the model's process running while it is needed. Making one starts nothing."""

    def __init__(self, model: Path, own: Own) -> None:
        """Serve the file `model`; `own` makes the client for where it listens."""
        self.model = MODEL
        self.file = model
        self._own = own
        self._starting = anyio.Lock()
        self._running: _Running | None = None

    @property
    def pid(self) -> int | None:
        """The process, where there is one."""
        return None if self._running is None else self._running.process.pid

    async def address(self) -> Address | Failed:
        """Where the model answers, once it does. However many ask at once, one process is started."""
        running = self._running
        if running is not None and await self._answers(running):
            return running.address
        async with self._starting:
            if self._running is not None and self._running is not running:
                return self._running.address
            await self._stop()
            return await self._start()

    async def close(self) -> None:
        """End the process. A later call would start another."""
        async with self._starting:
            await self._stop()

    async def _answers(self, running: _Running) -> bool:
        """Whether the process lives and listens. One that is slow to say so is busy, not broken."""
        if running.process.returncode is not None:
            return False
        url = running.address.base_url.removesuffix("/v1") + "/health"
        try:
            reply = await running.address.http.send("GET", url, timeout_s=HEALTH_S)
        except HttpFailed as failed:
            return failed.code == "timeout"
        return reply.status == 200

    async def _start(self) -> Address | Failed:
        if not await anyio.Path(self.file).is_file():
            return Failed("model_not_installed", "the embedded model is not here yet; run `perdure models install`")  # fmt: skip
        # An empty environment: native code needs none of the keys that this process was given.
        process = await anyio.open_process(
            [sys.executable, "-I", str(CHILD)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, env={}, start_new_session=True,
        )  # fmt: skip
        api_key = secrets.token_urlsafe(32)
        try:
            with anyio.fail_after(START_S):
                report = await self._report(process, api_key)
        except TimeoutError:
            await _ended(process)
            return Failed("embedded_failed", f"not ready within {START_S:g} s", retryable=True)
        except BaseException:  # a cancelled start leaves no process behind
            await _ended(process)
            raise
        if "port" not in report:
            with anyio.move_on_after(CLOSE_S):  # it is ending: how it ended is what is told
                await process.wait()
            await _ended(process)
            return _failure(report.get("error", ""), process.returncode)
        base_url = f"http://127.0.0.1:{report['port']}/v1"
        address = Address(base_url, api_key, self._own(base_url))
        self._running = _Running(process, address)
        return address

    async def _report(self, process: Process, api_key: str) -> dict[str, str | int]:
        """Give the child its order and read its one line; an empty report where it died before."""
        assert process.stdin is not None
        assert process.stdout is not None
        order = {
            "model": str(self.file),
            "alias": MODEL,
            "api_key": api_key,
            "slots": SLOTS,
            "context": CONTEXT,
        }
        line = b""
        with suppress(anyio.BrokenResourceError):  # gone already; it may have said why
            await process.stdin.send(json.dumps(order).encode() + b"\n")
        try:
            while not line.endswith(b"\n"):
                line += await process.stdout.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return {}
        report: dict[str, str | int] = json.loads(line)
        return report

    async def _stop(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            await _ended(running.process)


async def _ended(process: Process) -> None:
    """Kill the process, wait for its end, and let go of its pipes. It holds nothing that could be lost."""
    with anyio.CancelScope(shield=True):
        if process.returncode is None:
            process.kill()
        with anyio.move_on_after(CLOSE_S):
            await process.wait()
        await process.aclose()


def _failure(error: object, code: int | None) -> Failed:
    if "ImportError" in str(error) or "ModuleNotFoundError" in str(error):
        return Failed("provider_not_configured", "the embedded model's library is not installed; install perdure[local], "
                      "or set PERDURE_PROVIDER_<NAME>_BASE_URL and PERDURE_MODEL")  # fmt: skip
    detail = str(error) or f"its process ended with code {code}"
    return Failed(
        "embedded_failed", f"the embedded model did not start: {detail}", retryable=not error
    )
