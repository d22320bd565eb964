"""A bundle names itself, its flows, and the flow that is meant where none is named."""

from dataclasses import FrozenInstanceError, replace

import pytest

from perdure.bundles.manifest import Entrypoint
from perdure.errors import FlowNotFound, Invalid
from tests.bundles.archives import a_bundle, a_flow

TWO = (Entrypoint("f1", "one"), Entrypoint("f2", "two"))


def test_a_bundle_names_itself_and_its_flows() -> None:
    bundle = a_bundle()
    assert bundle.ref == "small@1.0.0"
    assert bundle.file_name == "small@1.0.0.flow"
    assert bundle.workflow_id("f1") == "small@1.0.0:f1"
    assert bundle.flow("f1") == a_flow()


def test_a_flow_that_is_not_there_is_not_found() -> None:
    with pytest.raises(FlowNotFound, match="in small@1"):
        a_bundle().flow("f2")


def test_a_bundle_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        a_bundle().size = 1  # type: ignore[misc] # the promise under test


def test_the_only_entrypoint_is_the_default() -> None:
    assert a_bundle().default_flow() == "f1"


def test_of_several_the_named_default_is_meant() -> None:
    bundle = a_bundle()
    several = replace(bundle, manifest=replace(bundle.manifest, entrypoints=TWO))
    with pytest.raises(Invalid) as refused:
        several.default_flow()
    assert refused.value.facts == {"reason": "flow_not_named", "flows": ["f1", "f2"]}
    named = replace(several, manifest=replace(several.manifest, default_entrypoint="f2"))
    assert named.default_flow() == "f2"
