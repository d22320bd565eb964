"""Where the durable data is kept."""

from typing import Literal

from pydantic import BaseModel, SecretStr

from perdure.app.sections.setting import WholePath, setting


class StorageSettings(BaseModel):
    """The data directory, and the database."""

    data_dir: WholePath = setting(
        None, "where everything is kept", "DATA_DIR", shown="~/.local/share/perdure"
    )
    database_url: SecretStr | None = setting(
        None, "a Postgres to keep runs in, instead of SQLite under the data directory"
    )
    sqlite_synchronous: Literal["FULL", "NORMAL"] = setting(
        "FULL", "NORMAL is faster and may lose acknowledged records when the power fails"
    )
