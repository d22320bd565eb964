"""The bucket of an installation, where one is set: each plane has a prefix of its own in it."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

from obstore.store import S3Store

from perdure.adapters.bucket.content import ContentBucket, erase
from perdure.errors import Invalid

if TYPE_CHECKING:
    from obstore.store import S3Config  # which is there for types alone

SETTING: Final = "PERDURE_ARTIFACTS_URL"
FORM: Final = "s3://bucket/prefix?endpoint=https://host&region=name"
TIMEOUT: Final = timedelta(seconds=30)
RETRIES: Final = 3


class Bucket:
    """A bucket, and the prefix that everything of this installation lies below."""

    def __init__(self, store: Any, prefix: str = "") -> None:
        """Keep everything in `store` below `prefix`."""
        self._store, self._prefix = store, prefix

    def content(self, place: str, parts: Path) -> ContentBucket:
        """The content of the plane that lies at `place`, relative to all planes."""
        return ContentBucket(self._store, self._below(place), parts)

    def erase(self, place: str) -> None:
        """Take away all content of a plane. Raises `StoreFailed`."""
        erase(self._store, self._below(place))

    def _below(self, place: str) -> str:
        return f"{self._prefix}{place}/"


def bucket_of(url: str) -> Bucket:
    """The bucket of a URL; the keys to it come from the environment or the host, as all AWS tools have it.

    Raises `Invalid` where it is no such URL.
    """
    parts = urlsplit(url)
    asked = parse_qs(parts.query)
    if parts.scheme != "s3" or not parts.netloc or asked.keys() - {"endpoint", "region"}:
        raise Invalid(f"artifacts lie in a bucket like {FORM}", setting=SETTING)
    endpoint = asked.get("endpoint", [None])[0]
    config: S3Config = {"disable_bulk_delete": True}  # not every server takes a list
    if endpoint is not None:
        config["endpoint"] = endpoint
    store = S3Store(
        parts.netloc, region=asked.get("region", ["us-east-1"])[0], config=config,
        client_options={"timeout": TIMEOUT, "allow_http": (endpoint or "").startswith("http://")},
        retry_config={"max_retries": RETRIES, "retry_timeout": TIMEOUT},
    )  # fmt: skip
    prefix = parts.path.strip("/")
    return Bucket(store, f"{prefix}/" if prefix else "")
