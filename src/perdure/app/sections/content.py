"""How large what clients send may be, and where its bytes are kept."""

from pydantic import BaseModel

from perdure.app.sections.setting import setting


class ContentSettings(BaseModel):
    """Bodies, bundles, files and artifacts."""

    max_body_bytes: int = setting(256_000, "the largest request body", "MAX_BODY_BYTES", ge=1024)
    max_bundle_bytes: int = setting(
        75 * 1024 * 1024,
        "the largest bundle to upload, or export to take in",
        "MAX_BUNDLE_BYTES",
        ge=1024,
    )
    max_attachment_bytes: int = setting(25 * 1024 * 1024, "the largest file to send to a session", "MAX_ATTACHMENT_BYTES", ge=1024)  # fmt: skip
    artifact_quota_bytes: int = setting(10 * 1024**3, "what all artifacts of one runtime may have together, where files are sent", ge=1024)  # fmt: skip
    artifacts_url: str | None = setting(
        None, "a bucket for artifacts and bundles, `s3://bucket/prefix?endpoint=…&region=…`", shown="the data directory"
    )  # fmt: skip
