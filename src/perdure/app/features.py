"""Which features this installation has: the shipped ones, and those of installed packages."""

from collections.abc import Iterator, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final

from perdure.adapters.egress import Egress
from perdure.app.sections.code import CodeSettings
from perdure.app.sections.features import FeatureSettings
from perdure.app.settings import Settings, models_folder, variables
from perdure.errors import Invalid
from perdure.features import echo, flows, schedules, travel
from perdure.features.agents.feature import agents_feature
from perdure.features.code.bounds import CodeBounds
from perdure.features.code.feature import code_feature
from perdure.features.code.sandbox.sandbox import Sandbox, sandbox_of
from perdure.features.files.feature import files_feature
from perdure.features.files.pdf.bounds import PdfBounds
from perdure.features.files.pdf.pdfs import Pdfs
from perdure.features.models.embedded.install import model_path
from perdure.features.models.embedded.server import EmbeddedServer
from perdure.features.models.feature import models_feature
from perdure.features.models.settings import read_config
from perdure.registry.feature import Feature

GROUP: Final = "perdure.features"


def features_of(settings: Settings, egress: Egress) -> Sequence[Feature]:
    """The features of this installation without those that are off, each made with its own settings.

    Raises `Invalid`, also where a name is off that no feature has.
    """
    config = read_config(variables(), egress.own)
    embedded = None
    if settings.embedded_model:
        embedded = EmbeddedServer(model_path(models_folder(settings)), egress.own)
    brought = (
        agents_feature(),
        code_feature(code_sandbox_of(settings, settings.data_dir)),
        echo.FEATURE,
        files_feature(pdfs_of(settings)),
        flows.FEATURE,
        schedules.FEATURE,
        models_feature(config, embedded),
        travel.FEATURE,
        *_installed(),
    )
    names = {feature.name for feature in brought}
    for name in settings.features_off:
        if name not in names:
            raise Invalid(
                f"there is no feature {name!r} to leave out; there are {', '.join(sorted(names))}",
                setting="PERDURE_FEATURES_OFF",
            )
    return tuple(feature for feature in brought if feature.name not in settings.features_off)


def code_sandbox_of(settings: CodeSettings, data_dir: Path) -> Sandbox:
    """Where code of flows is run, and how much one piece of it may take, as set."""
    bounds = CodeBounds(
        cpu_s=settings.code_cpu_s, time_s=settings.code_time_s, memory_bytes=settings.code_memory_bytes,
        output_bytes=settings.code_output_bytes, at_once=settings.code_at_once,
    )  # fmt: skip
    return sandbox_of(bounds, data_dir / "code")


def pdfs_of(settings: FeatureSettings) -> Pdfs:
    """What reads and writes PDFs, with the fonts as set."""
    return Pdfs(PdfBounds(), settings.pdf_fonts)


def _installed() -> Iterator[Feature]:
    """What other installed packages bring."""
    for entry in entry_points(group=GROUP):
        feature = entry.load()
        if not isinstance(feature, Feature):
            raise Invalid(f"{entry.value} is named as a feature and is none")
        yield feature
