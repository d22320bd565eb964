"""What one piece of a flow's code may take."""

from pydantic import BaseModel

from perdure.app.sections.setting import setting


class CodeSettings(BaseModel):
    """The bounds of the sandbox."""

    code_cpu_s: int = setting(10, "processor time of one piece of a flow's code, in seconds", ge=1)
    code_time_s: float = setting(30.0, "how long such a piece may run, in seconds", gt=0)
    code_memory_bytes: int = setting(256 * 1024**2, "memory that it may take", ge=32 * 1024**2)
    code_output_bytes: int = setting(1024**2, "what it may give back or print, in bytes", ge=1024)
    code_at_once: int = setting(2, "such pieces run side by side in this process", ge=1)
