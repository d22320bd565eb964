"""Bodies and answers of trying out code."""

from typing import Any

from pydantic import BaseModel, Field

from perdure.api.schemas.fields import ID_LETTERS_MAX, Body
from perdure.features.code.sandbox.sandbox import Code


class Simulate(Body):
    """Code to be tried out, and what it is given."""

    code: str = Field(description="Python that defines the function")
    input: Any = None
    function_name: str = Field("transform", max_length=ID_LETTERS_MAX)
    permissions: str = Field("sandbox", max_length=ID_LETTERS_MAX)

    def wanted(self) -> Code:
        """The code that this body is."""
        return Code(self.code, self.function_name, self.input)


class Took(BaseModel):
    """What the run of the code took. Without the figures where it was not run to an end."""

    duration_ms: float | None = None
    cpu_time_ms: float | None = None
    cpu_percent: float | None = None
    memory_rss_mb: float | None = None
    memory_rss_delta_mb: float | None = None
    permissions: str


class Diagnostics(BaseModel):
    """How far it came, and how it was run."""

    source: str
    phase: str = Field(description="policy | compile | run | limit")
    requested_mode: str
    effective_mode: str | None
    allowed: bool
    line: int | None = Field(description="of the code, where it went wrong")
    printed: str


class Simulated(BaseModel):
    """What came of the code. An error of the code is an answer like any other."""

    ok: bool
    success: bool
    output: Any
    execution: Took
    error: str | None
    diagnostics: Diagnostics
