"""A contract holds where a route keeps it and the rules allow it; nothing is claimed by hand."""

from dataclasses import replace
from typing import Any

import pytest

from perdure.api.app import create_app
from perdure.api.collaborators import Collaborators
from perdure.api.contracts import Actions, absent_in, contracts_of
from perdure.identity.access import ADMIN, RULES, USER, rule
from perdure.identity.credentials import SingleToken, local_admin
from perdure.identity.principal import Principal
from perdure.registry.feature import Feature
from perdure.registry.registry import registry_of
from tests.support.gateway import FEATURES

ADMIN_OF_ALL = local_admin("f")
BOB = replace(ADMIN_OF_ALL, roles=frozenset({USER}))


def standing(*features: Feature) -> tuple[Actions, Collaborators]:
    """The actions of an application's routes, and what it stands on."""

    async def open_runtime(_principal: Principal) -> Any:
        raise AssertionError("nothing is opened here")

    registry = registry_of(features, RULES)
    collaborators = Collaborators(registry, open_runtime, SingleToken(["t"], b"k"))
    return create_app(collaborators).state.actions, collaborators


def every_contract(tree: Any) -> list[dict[str, Any]]:
    """Every part of the tree that names a place."""
    if not isinstance(tree, dict):
        return []
    own = [tree] if "endpoint" in tree and "available" in tree else []
    return own + [found for part in tree.values() for found in every_contract(part)]


def test_what_is_available_has_a_route_and_what_is_not_says_why() -> None:
    actions, collaborators = standing(*FEATURES)
    paths = {path for _, path in actions}
    told = every_contract(contracts_of(actions, ADMIN_OF_ALL, collaborators))
    assert len(told) > 40
    for contract in told:
        assert contract["available"] == (contract["endpoint"] in paths) or "reason_code" in contract
        assert contract["available"] == ("reason_code" not in contract)


def test_the_flow_editor_s_gate_finds_every_place_that_it_looks_for() -> None:
    actions, collaborators = standing(*FEATURES)
    contracts = contracts_of(actions, ADMIN_OF_ALL, collaborators)
    common = contracts["common"]
    assert contracts["version"] == 1
    for name in ("start", "list", "summary", "input_data", "history_bundle", "commands"):
        assert common["runs"][name]["available"], name
    assert common["ledger"]["replay"]["available"]
    assert common["ledger"]["stream"]["available"]
    assert common["ledger"]["stream"]["transport"] == "sse"
    for name in ("list", "metadata", "content", "session_list"):
        assert common["artifacts"][name]["available"], name
    assert "endpoint" in common["artifacts"]["search"]
    editor = contracts["flow_editor"]
    assert editor["run_input_schema"]["available"]
    assert {"available", "collection_endpoint", "item_endpoint"} <= set(
        editor["visualflows"]["crud"]
    )
    assert {"available", "endpoint"} <= set(editor["visualflows"]["publish"])
    assert editor["available"]
    assert editor["visualflows"]["crud"]["available"]
    assert editor["visualflows"]["publish"]["available"]


def test_without_a_feature_its_contracts_do_not_hold() -> None:
    actions, collaborators = standing()
    bundles = contracts_of(actions, ADMIN_OF_ALL, collaborators)["flow_editor"]["bundles"]
    assert {contract["reason_code"] for contract in bundles.values()} == {"feature_absent"}
    absent = absent_in(actions)
    assert absent.fullmatch("/api/gateway/bundles/any/flows/one")
    assert not absent.fullmatch("/api/gateway/runs/any")


@pytest.mark.parametrize(("principal", "available"), [(BOB, False), (ADMIN_OF_ALL, True)])
def test_what_is_shown_is_what_is_allowed(principal: Principal, available: bool) -> None:
    flows = replace(FEATURES[0], actions={**FEATURES[0].actions, "bundle:write": rule(ADMIN)})
    actions, collaborators = standing(flows)
    upload = contracts_of(actions, principal, collaborators)["flow_editor"]["bundles"]["upload"]
    assert upload["available"] is available
    assert upload.get("reason_code") == (None if available else "admin_required")


def test_a_feature_may_add_facts_to_a_contract() -> None:
    facts = {"common.memory": {"backend": "own"}, "common.new.thing": {"available": True}}
    actions, collaborators = standing(Feature("memory", contracts=facts))
    common = contracts_of(actions, ADMIN_OF_ALL, collaborators)["common"]
    assert common["memory"]["backend"] == "own"
    assert common["memory"]["available"] is False
    assert common["new"]["thing"] == {"available": True}


def test_promise_72_what_is_for_admins_is_shown_to_users_as_out_of_reach() -> None:
    actions, collaborators = standing(*FEATURES)
    for_bob = contracts_of(actions, BOB, collaborators)["operations"]
    for_admin = contracts_of(actions, ADMIN_OF_ALL, collaborators)["operations"]
    of_admins = {it for it, one in collaborators.rules.items() if one.roles == {ADMIN} and not one.hidden}  # fmt: skip
    assert of_admins
    assert set(for_bob) == set(for_admin)
    for action, told in for_bob.items():
        assert told["available"] is (action not in of_admins)
        assert for_admin[action]["available"] is True
        if action in of_admins:
            assert (told["reason_code"], told["required_role"]) == ("admin_required", "admin")


def test_promise_72_what_scopes_take_away_is_shown_as_out_of_scope() -> None:
    actions, collaborators = standing(*FEATURES)
    held = replace(BOB, scopes=("run:read",))
    told = contracts_of(actions, held, collaborators)
    start = told["common"]["runs"]["start"]
    assert (start["available"], start["reason_code"]) == (False, "scope_required")
    assert start["required_scope"] == "run:start"
    assert told["common"]["runs"]["list"]["available"] is True


def test_promise_69_discovery_names_every_operation_that_is_not_hidden() -> None:
    actions, collaborators = standing(*FEATURES)
    told = contracts_of(actions, BOB, collaborators)["operations"]
    shown = {(it["method"], it["endpoint"]) for one in told.values() for it in one["operations"]}
    hidden = {at for at, action in actions.items() if collaborators.rules[action].hidden}
    assert shown == set(actions) - hidden
