"""Which features are there, and what the small ones are told."""

from pydantic import BaseModel, FilePath

from perdure.app.sections.setting import Listed, setting


class FeatureSettings(BaseModel):
    """What is left out, and what PDFs are written with."""

    pdf_fonts: Listed[FilePath] = setting((), "TrueType fonts for letters of PDFs that the program's own font lacks, separated by commas", shown="none")  # fmt: skip
    features_off: Listed[str] = setting(
        (), "features to leave out, separated by commas", shown="none"
    )
