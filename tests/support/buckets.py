"""A server that speaks S3 on loopback, with one bucket in it."""

from collections.abc import Generator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import pytest
from localbucket import S3Handler  # type: ignore[import-untyped]  # one file without types

from perdure.adapters.bucket.buckets import Bucket, bucket_of

NAME = "kept"


class Served(NamedTuple):
    """A bucket that is served, where its objects lie as files, and what was asked."""

    url: str
    bucket: Bucket
    objects: Path
    asked: list[str]


@contextmanager
def a_bucket(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Served]:
    """A bucket whose objects are files below `folder`."""
    (folder / NAME).mkdir(parents=True)
    asked: list[str] = []

    class Handler(S3Handler):  # type: ignore[misc]  # it has none
        """One server's own folder; it says nothing, and keeps what it was asked."""

        data_root = folder.resolve()

        def log_message(self, *_words: Any) -> None:
            """Note what was asked."""
            asked.append(self.requestline)

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        url = f"s3://{NAME}/some/prefix?endpoint=http://127.0.0.1:{server.server_address[1]}"
        try:
            yield Served(url, bucket_of(url), folder / NAME, asked)
        finally:
            server.shutdown()
            thread.join()
