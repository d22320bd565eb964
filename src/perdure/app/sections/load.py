"""How much is done at once: for everybody together, and for one principal."""

from pydantic import BaseModel

from perdure.app.sections.setting import setting


class LoadSettings(BaseModel):
    """What one process answers at once."""

    max_concurrency: int = setting(512, "requests answered at once", "MAX_CONCURRENCY", ge=1)
    max_streams: int = setting(2_000, "ledger streams open at once", "MAX_SSE", ge=1)


class ShareSettings(BaseModel):
    """What one principal may have of it in user mode."""

    principal_requests: int = setting(
        128, "requests of one principal answered at once, in user mode", ge=1
    )
    principal_streams: int = setting(
        256, "streams of one principal open at once, in user mode", ge=1
    )
    principal_stream_bytes: int = setting(
        1024**3, "bytes that the streams of one principal send in a minute, in user mode", ge=1024
    )
    principal_starts: int = setting(
        12_000, "runs that one principal starts in a minute, in user mode", ge=1
    )
