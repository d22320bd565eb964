"""Which model answers, and where model files are kept."""

from pydantic import BaseModel

from perdure.app.sections.setting import WholePath, setting


class ModelSettings(BaseModel):
    """The default model and its files; providers are named by variables of their own."""

    model: str | None = setting(
        None,
        "the model that answers where a flow names none, as `provider/model`",
        shown="the built-in one",
    )
    models_dir: WholePath | None = setting(
        None, "where model files are kept", shown="`models` in the data directory"
    )
    embedded_model: bool = setting(
        True, "answer with the small built-in model where nothing else is named"
    )
