"""The shape of a problem document (RFC 9457)."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Problem(BaseModel):
    """What went wrong. An error's own facts stand beside these members."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="Where the kind of problem is explained", examples=["/problems/run_not_found"])  # fmt: skip
    title: str = Field(description="The kind of problem, in words that never change")
    status: int
    detail: str = Field(description="What happened this time")
    code: str = Field(description="The kind of problem, for machines")
    instance: str = Field(description="The id of the request, as the log has it")
    retryable: bool = Field(description="Whether the same request may succeed later")
    errors: list[dict[str, Any]] | None = Field(None, description="Each fault of a body or a parameter")  # fmt: skip
