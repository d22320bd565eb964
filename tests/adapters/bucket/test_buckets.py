"""A bucket is named by a URL, with what it is reached by, and without keys."""

import pytest

from perdure.adapters.bucket.buckets import bucket_of
from perdure.errors import Invalid


@pytest.mark.parametrize(
    "url",
    ["", "bucket", "https://bucket/x", "s3://", "s3:///x", "s3://bucket?key=1", "file:///etc"],
)
def test_what_names_no_bucket_is_refused_with_the_form(url: str) -> None:
    with pytest.raises(Invalid, match="s3://bucket/prefix"):
        bucket_of(url)


@pytest.mark.parametrize("url", ["s3://bucket", "s3://bucket/a/b/", "s3://bucket?region=eu-1"])
def test_a_bucket_is_named_without_being_asked(url: str) -> None:
    bucket_of(url)
