"""Whatever comes over the wire is answered with a problem document, and nothing of it is kept."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest

from tests.bundles.test_archive import HOSTILE
from tests.journeys import flows
from tests.journeys.child import TOKEN
from tests.journeys.gateway import GUARD_S
from tests.journeys.journey import Journey
from tests.journeys.wire import API

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("postgres", ["sqlite"], indirect=True)]
FORM = b"multipart/form-data; boundary=b"
JSON = b"application/json"


OF_THE_STORE = ("-wal", "-shm", ".sweep")  # it writes them when it thinks fit


class Heard(NamedTuple):
    """What came back, as it came."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes


@pytest.fixture
async def standing(journey: Journey) -> AsyncIterator[Journey]:
    """A gateway that, whatever was sent, has kept nothing of it, met no bug, and goes on."""
    await journey.gateway.start()
    before = await kept(journey)
    yield journey
    assert await kept(journey) == before
    log = journey.gateway.data_dir.with_suffix(".log").read_text()
    assert "Traceback" not in log, log
    run_id = await flows.start(journey.wire, "two-timers")
    await flows.output(journey.wire, run_id)


async def kept(journey: Journey) -> Any:
    """All that there is: bundles and runs as they are listed, and the files."""
    listed = await journey.wire.get("/bundles", all_versions=True, include_drafts=True)
    folder = journey.gateway.data_dir.parent
    files = {str(path) for path in folder.rglob("*") if path.is_file()}
    return (
        listed,
        await journey.wire.runs(),
        {it for it in files if not it.endswith(OF_THE_STORE)},
    )


async def sent(journey: Journey, *pieces: bytes) -> Heard:
    """Send bytes as they are, and take down the answer."""
    async with asyncio.timeout(GUARD_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", journey.gateway.port)
        try:
            for piece in pieces:
                writer.write(piece)
            answer = await reader.read()
        finally:
            writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    headers = dict(line.lower().split(b": ", 1) for line in lines)
    return Heard(int(first.split()[1]), headers, body)


def a_request(method: bytes, target: bytes, *lines: bytes, body: bytes = b"") -> bytes:
    """A request as bytes, with the token, after whose answer the connection ends."""
    token = b"authorization: Bearer " + TOKEN.encode()
    head = [method + b" " + target + b" HTTP/1.1", b"host: it", b"connection: close", token, *lines]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def a_body(target: str, type: bytes, body: bytes) -> bytes:
    """A POST of a body below the API's prefix."""
    lines = (b"content-type: " + type, b"content-length: %d" % len(body))
    return a_request(b"POST", f"{API}{target}".encode(), *lines, body=body)


def check_problem(heard: Heard, *statuses: int) -> Any:
    """Check that it is a problem document with one of these statuses."""
    assert heard.status in statuses, heard
    assert heard.headers[b"content-type"] == b"application/problem+json", heard
    told = json.loads(heard.body)
    assert told["status"] == heard.status
    assert told["code"]
    assert told["detail"]
    return told


def a_part(headers: bytes, content: bytes) -> bytes:
    """One part of a form."""
    return b"--b\r\ncontent-disposition: form-data; " + headers + b"\r\n\r\n" + content + b"\r\n"


async def test_every_hostile_bundle_is_refused_for_its_own_reason(standing: Journey) -> None:
    for case, (reason, build) in HOSTILE.items():
        body = a_part(b'name="file"; filename="../../x.flow"', build()) + b"--b--\r\n"
        told = check_problem(await sent(standing, a_body("/bundles/upload", FORM, body)), 400, 422)
        assert told["reason"] == reason, case


FORMS = {
    "nothing": b"",
    "no part": b"--b--\r\n",
    "no end": a_part(b'name="file"; filename="a"', b"PK"),
    "no file": a_part(b'name="overwrite"', b"true") + b"--b--\r\n",
    "a text for a file": a_part(b'name="file"', b"PK") + b"--b--\r\n",
    "another boundary": a_part(b'name="file"; filename="a"', b"PK").replace(b"--b", b"--c"),
    "a part without a name": a_part(b"", b"PK") + b"--b--\r\n",
    "a name that is no text": a_part(b'name="\xff\xfe"; filename="\xff"', b"PK") + b"--b--\r\n",
    "no form": b"PK\3\4",
}


async def test_a_form_that_is_none_is_refused(standing: Journey) -> None:
    for form in FORMS.values():
        check_problem(await sent(standing, a_body("/bundles/upload", FORM, form)), 400, 422)


async def test_a_form_without_its_boundary_is_refused(standing: Journey) -> None:
    body = a_part(b'name="file"; filename="a"', b"PK") + b"--b--\r\n"
    for type in (b"multipart/form-data", b"multipart/form-data; boundary=", JSON, b"\xff"):
        check_problem(await sent(standing, a_body("/bundles/upload", type, body)), 400, 415, 422)


async def test_targets_as_no_client_library_would_send_them(standing: Journey) -> None:
    api = API.encode()
    for target in (
        api + b"/runs/../../../../etc/passwd",
        api + b"/runs/..%2f..%2f..%2fetc%2fpasswd",
        api + b"/runs/%00",
        api + b"/runs/%ff%fe",
        api + b"/runs/" + b"x" * 10_000,
        api + b"/runs//ledger",
        api + b"/runs/a;b=c",
        api + b"/%2e%2e/%2e%2e/etc/passwd",
        b"//" + api + b"/me",
        api + b"/runs?limit=%00&cursor=%ff",
        api + b"/runs?limit=" + b"9" * 4_000,
        api + b"/bundles/ask-first?bundle_version=" + b"%F0%9F%A6%8A" * 500,
    ):
        check_problem(await sent(standing, a_request(b"GET", target)), 400, 404)


async def test_a_method_that_is_none_is_refused(standing: Journey) -> None:
    for method in (b"PUT", b"TRACE", b"PROPFIND", b"PATCH"):
        heard = await sent(standing, a_request(method, API.encode() + b"/runs/start"))
        check_problem(heard, 405)
        assert heard.headers[b"allow"] == b"post"


async def test_a_body_without_a_length_is_measured_as_it_comes(standing: Journey) -> None:
    start, chunk = f"{API}/runs/start".encode(), b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    lines = (b"content-type: application/json", b"transfer-encoding: chunked")
    pieces = [a_request(b"POST", start, *lines), *[chunk] * 5, b"0\r\n\r\n"]
    check_problem(await sent(standing, *pieces), 413)


async def test_a_body_that_is_cut_short_harms_nobody(standing: Journey) -> None:
    whole = a_body("/runs/start", JSON, b'{"bundle_id": "two-timers"}')
    _, writer = await asyncio.open_connection("127.0.0.1", standing.gateway.port)
    writer.write(whole[:-5])
    await writer.drain()
    writer.close()
    await writer.wait_closed()


async def test_a_body_that_says_twice_what_it_means_is_refused_or_read_as_one(
    standing: Journey,
) -> None:
    twice = b'{"bundle_id": "no-such", "bundle_id": "neither"}'
    check_problem(await sent(standing, a_body("/runs/start", JSON, twice)), 404, 422)
    packed = a_body("/runs/start", JSON, b"\x1f\x8b\x08\x00" + b"\x00" * 20)
    check_problem(await sent(standing, packed), 422)


async def test_a_header_of_any_size_is_no_bug(standing: Journey) -> None:
    for size in (9_000, 70_000, 300_000):
        long = b"x-long: " + b"x" * size
        heard = await sent(standing, a_request(b"GET", API.encode() + b"/ping", long))
        assert heard.status in (200, 400, 431)
