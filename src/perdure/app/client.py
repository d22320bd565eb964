"""The thin client of the gateway's HTTP API; a problem document comes out as the error that it names."""

import json
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, BinaryIO, Final, Self
from urllib.parse import quote, urlsplit

import anyio
import httpx2

from perdure import errors
from perdure.app.settings import LOCAL_HOSTS, Settings
from perdure.app.token_files import token_path
from perdure.errors import GatewayError, Invalid, Unreachable
from perdure.ids import new_id
from perdure.kernel.values import Json

ANY_HOST: Final = ("0.0.0.0", "::", "")  # what a gateway listens on that every address reaches
API: Final = "/api/gateway"
CONNECT_S: Final = 5.0
ANSWER_S: Final = 60.0
TRIES_MAX: Final = 4  # of a request that may be repeated
PAGE: Final = 500
SETTLE_S: Final = 10.0  # how long a command may take to be applied
_BY_STATUS: Final[Mapping[int, type[GatewayError]]] = {
    400: errors.Invalid,
    401: errors.Unauthenticated,
    403: errors.Forbidden,
    404: errors.NotFound,
    409: errors.Conflict,
    413: errors.TooLarge,
    422: errors.Invalid,
    429: errors.LimitReached,
}


def is_local(url: str) -> bool:
    """Whether an address is of this machine, and so may be told the token that lies here."""
    try:
        return urlsplit(url).hostname in LOCAL_HOSTS
    except ValueError:
        return False


def address_of(settings: Settings) -> tuple[str, str | None]:
    """The gateway and the token that are meant: those that are set, else those of this machine.

    The token that a gateway on this machine made is told to no other machine.
    """
    meant = settings.url or _own_url(settings)
    if urlsplit(meant).scheme not in ("http", "https"):
        raise Invalid(f"The gateway's address begins with http:// or https://, not {meant!r}.")
    if settings.token is not None:
        return meant, settings.token.get_secret_value()
    return meant, _own_token(settings) if is_local(meant) else None


def _own_url(settings: Settings) -> str:
    host = "127.0.0.1" if settings.host in ANY_HOST else settings.host
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def _own_token(settings: Settings) -> str | None:
    if settings.auth_token is not None:
        return settings.auth_token.get_secret_value()
    try:
        return token_path(settings).read_text().strip() or None
    except OSError:
        return None  # not ours to read; the gateway will say that it wants one


class Gateway:
    """A gateway, spoken to with one token. Use it in an `async with`."""

    def __init__(self, url: str, token: str | None = None) -> None:
        """Take the address without its `/api/gateway`. Nothing is sent yet."""
        self.url = url.rstrip("/")
        self._http = httpx2.AsyncClient(
            headers={"authorization": f"Bearer {token}"} if token else {},
            timeout=httpx2.Timeout(ANSWER_S, connect=CONNECT_S),
            trust_env=not is_local(url),  # a proxy has no business between two programs here
            verify=not (
                is_local(url) and url.startswith("http:")
            ),  # certificates take long to load
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:  # fmt: skip
        await self._http.aclose()

    # --- any route -----------------------------------------------------------------------------

    async def get(self, path: str, **query: Json) -> Json:
        """Read a resource below `/api/gateway`, or below the root where the path begins with two slashes."""
        answer = await self._send("GET", path, params=_written(query))
        return answer.json()

    async def post(self, path: str, body: Json, *, key: str | None = None) -> Json:
        """Send a body. With a `key` the gateway takes it once, and so a cut is answered by a repeat."""
        headers = {"idempotency-key": key} if key else {}
        tries = TRIES_MAX if key else 1
        answer = await self._send("POST", path, json=body, headers=headers, tries=tries)
        return answer.json()

    async def patch(self, path: str, body: Json, **query: Json) -> Json:
        """Change a resource."""
        return (await self._send("PATCH", path, params=_written(query), json=body)).json()

    async def delete(self, path: str, **query: Json) -> Json:
        """Remove a resource."""
        return (await self._send("DELETE", path, params=_written(query))).json()

    @asynccontextmanager
    async def open(
        self, path: str, headers: Mapping[str, str], read_s: float, **query: Json
    ) -> AsyncIterator[httpx2.Response]:
        """Begin an answer without an end. Raises what a problem says, or `Unreachable`; cuts pass through."""
        timeout = httpx2.Timeout(read_s, connect=CONNECT_S)
        request = self._http.build_request(
            "GET", self._at(path), params=_written(query), headers=dict(headers), timeout=timeout
        )
        try:
            answer = await self._http.send(request, stream=True)
        except (httpx2.TransportError, httpx2.InvalidURL) as error:
            raise self._unreachable(error) from error
        try:
            if answer.is_error:
                await answer.aread()
                raise error_of(answer)
            yield answer
        finally:
            await answer.aclose()

    async def ask(self, method: str, path: str, **more: Any) -> httpx2.Response:
        """The answer as it comes, a refusal too; of a stream its beginning. Keeps no cookie. Raises `Unreachable`."""
        try:
            request = self._http.build_request(method, self._at(path), **more)
            answer = await self._http.send(request, stream=True)
            try:
                if not answer.headers.get("content-type", "").startswith("text/event-stream"):
                    await answer.aread()
            finally:
                await answer.aclose()
        except (httpx2.TransportError, httpx2.InvalidURL) as error:
            raise self._unreachable(error) from error
        self._http.cookies.clear()
        return answer

    def _at(self, path: str) -> str:
        return self.url + (path[1:] if path.startswith("//") else API + path)

    async def _send(
        self, method: str, path: str, *, tries: int = 1, **more: Json
    ) -> httpx2.Response:
        tried = 0
        while True:
            tried += 1
            try:
                return _checked(await self._http.request(method, self._at(path), **more))
            except (httpx2.TransportError, httpx2.InvalidURL) as error:
                if tried == tries or isinstance(error, httpx2.ConnectError):
                    raise self._unreachable(error) from error
            await anyio.sleep(pause_s(tried))

    def _unreachable(self, error: Exception) -> Unreachable:
        why = str(error) or type(error).__name__
        return Unreachable(f"No gateway answers at {self.url} ({why}).", url=self.url)

    # --- runs ----------------------------------------------------------------------------------

    async def start(self, body: Json) -> str:
        """Start a run and give its id. A cut on the way starts it once all the same."""
        return str((await self.post("/runs/start", body, key=new_id()))["run_id"])

    async def run(self, run_id: str) -> Json:
        """The summary of a run."""
        return await self.get(f"/runs/{quoted(run_id)}")

    async def runs(self, limit: int, **query: Json) -> list[Json]:
        """Up to `limit` runs, newest first, in as many pages as it takes."""
        found: list[Json] = []
        while len(found) < limit:
            page = await self.get("/runs", limit=min(PAGE, limit - len(found)), **query)
            found += page["items"]
            if not (page.get("next_cursor") and page["items"]):
                break
            query["cursor"] = page["next_cursor"]
        return found

    async def command(self, run_id: str, kind: str, payload: Json) -> Json:
        """Send a command to a run and tell what became of it, once that is known."""
        command_id = new_id()
        body = {"command_id": command_id, "run_id": run_id, "type": kind, "payload": payload}
        await self.post("/commands", body, key=command_id)
        with anyio.move_on_after(SETTLE_S):
            for asked in range(1, 1_000):
                delivery = await self.get(f"/commands/{command_id}")
                if delivery["state"] != "pending":
                    return delivery
                await anyio.sleep(min(0.5, 0.02 * 2**asked))
        return {"command_id": command_id, "state": "pending", "detail": None}

    async def fetch(self, path: str, to: BinaryIO) -> int:
        """Write what a path gives to a file, as it comes; how many bytes."""
        size = 0
        async with self.open(path, {}, ANSWER_S) as answer:
            try:
                async for piece in answer.aiter_bytes():
                    size += to.write(piece)
            except httpx2.TransportError as error:
                raise self._unreachable(error) from error
        return size

    async def hand_in(self, path: str, name: str, file: BinaryIO) -> Json:
        """Send a file, as it is read."""
        files = {"file": (name, file, "application/zip")}
        return (await self._send("POST", path, files=files)).json()

    async def upload(self, name: str, content: bytes, *, overwrite: bool) -> Json:
        """Install a bundle from its bytes."""
        files = {"file": (name, content, "application/zip")}
        data = {"overwrite": str(overwrite).lower()}
        answer = await self._send("POST", "/bundles/upload", files=files, data=data)
        return answer.json()

    # --- artifacts -----------------------------------------------------------------------------

    async def attach(self, name: str, file: BinaryIO, session_id: str) -> Json:
        """Send a file to a session, read as it goes out."""
        files, data = {"file": (name, file)}, {"session_id": session_id}
        answer = await self._send("POST", "/attachments/upload", files=files, data=data)
        return answer.json()


def quoted(text: str) -> str:
    """An id as one segment of a path."""
    return quote(text, safe="")


def pause_s(tried: int) -> float:
    """How long to wait before the next try: longer each time, never the same for two clients."""
    return min(5.0, 0.2 * 2.0 ** min(tried, 10)) * random.uniform(0.5, 1.0)


def _written(query: Mapping[str, Json]) -> dict[str, str]:
    given = {name: value for name, value in query.items() if value is not None}
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in given.items()
    }


def _checked(answer: httpx2.Response) -> httpx2.Response:
    if not answer.is_success:
        raise error_of(answer)
    return answer


def error_of(answer: httpx2.Response) -> GatewayError:
    """The error that an answer tells of: by its code, else by its status."""
    problem = _problem(answer)
    code = str(problem.pop("code", ""))
    status = answer.status_code
    kind = _by_code().get(code) or _BY_STATUS.get(status)
    kind = kind or (errors.Unavailable if status >= 500 else GatewayError)
    detail = problem.pop("detail", None)
    if not isinstance(detail, str) or not detail:
        detail = f"{answer.request.url.path} answered {status} {answer.reason_phrase}".rstrip()
    facts = {"status": status, "code": code or kind.code, **problem}
    if retry_after := answer.headers.get("retry-after"):
        facts["retry_after"] = retry_after
    return kind(detail, **{str(name): value for name, value in facts.items() if name != "self"})


def _problem(answer: httpx2.Response) -> dict[str, Json]:
    try:
        problem = json.loads(answer.content)
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}


def _by_code() -> dict[str, type[GatewayError]]:
    kinds: list[type[GatewayError]] = [GatewayError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    return {kind.code: kind for kind in kinds}
