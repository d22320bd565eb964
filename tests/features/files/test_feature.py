"""The feature brings an effect for every node about files, and PDFs go through what it was given."""

from perdure.features.files.feature import files_feature
from perdure.features.files.pdf.pdfs import Pdfs
from tests.features.flows.tables.files import TABLES
from tests.support.pdfs import BOUNDS


def test_every_node_about_files_has_what_performs_it() -> None:
    feature = files_feature(Pdfs(BOUNDS))
    assert (feature.name, set(feature.effects)) == ("files", set(TABLES))
