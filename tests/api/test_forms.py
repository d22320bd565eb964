"""Forms with a file: read piece by piece, held nowhere, and nothing kept of what breaks off."""

import tracemalloc
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from perdure.adapters.disk.receiving import Receiving
from perdure.api.collaborators import ApiSettings
from perdure.api.forms import FIELD_BYTES_MAX, FIELDS_MAX, PIECE_BYTES
from tests.support.gateway import Gateway, Options, a_gateway
from tests.support.sending import END, FILE, PATH, large, part, sent

pytestmark = pytest.mark.anyio

MIB = 1024 * 1024
LARGE = ApiSettings(access_logged=False, attachment_bytes_max=100 * MIB)


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    """A gateway that takes files of 100 MiB."""
    async with a_gateway(tmp_path, Options(settings=LARGE, runs=False)) as one:
        yield one


def form(content: bytes = b"hello", /, **fields: str) -> bytes:
    """A whole form."""
    texts = [part(name, value.encode()) for name, value in {"session_id": "S", **fields}.items()]
    return b"".join([*texts, part("file", content, FILE), END])


async def posted(gateway: Gateway, body: bytes) -> tuple[int, Any]:
    """Send a body in pieces of a few bytes, so that each part is cut somewhere."""
    return await sent(gateway.app, (body[at : at + 7] for at in range(0, len(body), 7)))


def files(gateway: Gateway) -> Sequence[Path]:
    """What lies on the disk."""
    return [
        it for it in (gateway.runtime.workspaces.parent / "artifacts").rglob("*") if it.is_file()
    ]


async def test_a_file_of_64_mib_takes_no_more_memory_than_a_few_pieces(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:

    sizes: list[int] = []
    write = Receiving.write

    def noted(received: Receiving, piece: bytes) -> None:
        sizes.append(len(piece))
        write(received, piece)

    monkeypatch.setattr(Receiving, "write", noted)
    await posted(gateway, form())  # what is prepared once
    tracemalloc.start()
    status, told = await sent(gateway.app, large(64 * MIB))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (status, told["metadata"]["size_bytes"]) == (200, 64 * MIB)
    assert max(sizes) <= PIECE_BYTES
    assert peak < 16 * PIECE_BYTES


async def test_what_breaks_off_leaves_nothing(gateway: Gateway) -> None:
    body = form(b"x" * 1_000_000)
    await sent(gateway.app, iter([body[:500_000]]), whole=False)
    assert files(gateway) == []
    status, told = await sent(gateway.app, iter([body[:500_000]]))
    assert (status, told["code"]) == (422, "unfit")
    assert files(gateway) == []
    assert (await gateway.get("/sessions/S/artifacts")).json()["total"] == 0


async def test_a_file_is_as_large_as_is_allowed_and_no_larger(tmp_path: Path) -> None:
    settings = ApiSettings(
        access_logged=False, attachment_bytes_max=1_000, upload_slack_bytes=1_000
    )
    async with a_gateway(tmp_path, Options(settings=settings, runs=False)) as gateway:
        assert (await posted(gateway, form(b"x" * 1_000)))[0] == 200
        for size in (1_001, 5_000):
            status, told = await posted(gateway, form(b"y" * size))
            assert (status, told["code"]) == (413, "too_large")
        assert len(files(gateway)) == 1


async def test_the_order_of_the_parts_does_not_matter(gateway: Gateway) -> None:
    body = (
        part("file", b"\r\n--hello", FILE)
        + part("session_id", b"S")
        + part("filename", "ä b.txt".encode())
        + END
    )
    status, told = await posted(gateway, body)
    assert (status, told["metadata"]["filename"], told["metadata"]["size_bytes"]) == (
        200,
        "ä b.txt",
        9,
    )


@pytest.mark.parametrize(
    "body",
    [
        b"", END, b"no form", part("session_id", b"S") + END, part("file", b"x", FILE) + END,
        part("session_id", b"") + part("file", b"x", FILE) + END, form() [: -len(END)],
        part("session_id", b"S") * 2 + part("file", b"x", FILE) + END,
        part("session_id", b"S") + part("file", b"x", FILE) * 2 + END,
        part("session_id", b"S") + part("other", b"x", FILE) + END, part("session_id", b"\xff") + part("file", b"x", FILE) + END,
        part("session_id", b"a\x00b") + part("file", b"x", FILE) + END, form(source_path="x" * (FIELD_BYTES_MAX + 1)),
        form(session_id="x" * 257), form(**{f"f{n}": "x" for n in range(FIELDS_MAX)}),
        part("session_id", b"S", b"\r\nX-Long: " + b"x" * 10_000) + END,
    ],
    ids=range(16),
)  # fmt: skip
async def test_what_is_no_such_form_is_refused_and_leaves_nothing(
    gateway: Gateway, body: bytes
) -> None:
    status, told = await posted(gateway, body)
    assert (status, told["code"]) == (422, "unfit"), told
    assert files(gateway) == []


async def test_another_kind_of_body_is_not_read(gateway: Gateway) -> None:
    long = f"multipart/form-data; boundary={'y' * 257}"
    for kind in ("application/json", "multipart/form-data", "multipart/mixed; boundary=x", long):
        answer = await gateway.client.post(PATH, content=b"{}", headers={"content-type": kind})
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
