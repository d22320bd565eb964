"""How the program logs."""

from typing import Literal

from pydantic import BaseModel

from perdure.app.sections.setting import setting


class LogSettings(BaseModel):
    """Level and form."""

    log_level: Literal["debug", "info", "warning", "error"] = setting("info", "how much is logged")
    log_format: Literal["json", "text"] = setting("text", "how log lines are written")
