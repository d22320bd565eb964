"""The contracts that clients build on: which hold here, for whoever asks, and where each is found.

Nothing is claimed by hand. A contract holds where there is a route at its place and the access
table lets the principal do its action; everything else says `available: false`.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from perdure.api.collaborators import Collaborators
from perdure.api.routing import PREFIX
from perdure.identity.access import allowed, denied
from perdure.identity.principal import Principal
from perdure.kernel.values import Json
from perdure.services.commands import TYPES

VERSION: Final = 1
LEVELS: Final = ("off", "low", "medium", "high", "xhigh")

Actions = Mapping[tuple[str, str], str]  # the action of each route, by method and path


class At(NamedTuple):
    """Where a contract is to be found, and what else clients read of it."""

    method: str
    path: str
    facts: Mapping[str, Json] = {}


RUNS: Final[Mapping[str, At]] = {
    "start": At("POST", "/runs/start", {
        "thinking_control": {"field": "thinking", "runtime_field": "_runtime.thinking", "values": list(LEVELS)},
    }),
    "schedule": At("POST", "/runs/schedule"),
    "summary": At("GET", "/runs/{run_id}"),
    "list": At("GET", "/runs"),
    "purge_drafts": At("POST", "/runs/purge_drafts"),
    "input_data": At("GET", "/runs/{run_id}/input_data"),
    "history_bundle": At("GET", "/runs/{run_id}/history_bundle"),
    "commands": At("POST", "/commands", {"types": list(TYPES)}),
}  # fmt: skip
LEDGER: Final[Mapping[str, At]] = {
    "replay": At("GET", "/runs/{run_id}/ledger"),
    "batch": At("POST", "/runs/ledger/batch"),
    "stream": At("GET", "/runs/{run_id}/ledger/stream", {"transport": "sse"}),
}
SCHEDULES: Final[Mapping[str, At]] = {
    "list": At("GET", "/schedules"),
    "summary": At("GET", "/schedules/{schedule_id}"),
    "occurrences": At("GET", "/schedules/{schedule_id}/occurrences"),
    "preview": At("GET", "/schedules/{schedule_id}/preview"),
}
ARTIFACTS: Final[Mapping[str, At]] = {
    "list": At("GET", "/runs/{run_id}/artifacts"),
    "search": At("GET", "/artifacts/search"),
    "stats": At("GET", "/artifacts/stats"),
    "session_list": At("GET", "/sessions/{session_id}/artifacts"),
    "metadata": At("GET", "/runs/{run_id}/artifacts/{artifact_id}"),
    "content": At("GET", "/runs/{run_id}/artifacts/{artifact_id}/content", {
        "access_action_query": "access", "access_action_aliases": ["access"],
        "access_actions": ["content", "preview", "download"],
    }),
    "import": At("POST", "/artifacts/import"),
    "export": At("POST", "/runs/{run_id}/artifacts/{artifact_id}/export"),
}  # fmt: skip
BUNDLES: Final[Mapping[str, At]] = {
    "list": At("GET", "/bundles"),
    "inspect": At("GET", "/bundles/{bundle_id}"),
    "upload": At("POST", "/bundles/upload"),
    "reload": At("POST", "/bundles/reload"),
    "remove": At("DELETE", "/bundles/{bundle_id}"),
    "deprecate": At("POST", "/bundles/{bundle_id}/deprecate"),
    "undeprecate": At("POST", "/bundles/{bundle_id}/undeprecate"),
    "flow": At("GET", "/bundles/{bundle_id}/flows/{flow_id}"),
}
WORKSPACE: Final[Mapping[str, At]] = {
    "list_files": At("GET", "/files/list"),
    "search_files": At("GET", "/files/search"),
    "open_run_directory": At("POST", "/runs/{run_id}/workspace/open"),
}
DISCOVERY: Final[Mapping[str, At]] = {
    "capabilities": At("GET", "/discovery/capabilities"),
    "providers": At("GET", "/discovery/providers"),
    "provider_models": At("GET", "/discovery/providers/{provider_name}/models"),
    "model_capabilities": At("GET", "/discovery/models/capabilities"),
    "tools": At("GET", "/discovery/tools"),
    "semantics": At("GET", "/semantics"),
}
PROFILES: Final[Mapping[str, At]] = {
    "list": At("GET", "/config/provider-endpoint-profiles"),
    "discover_models": At("POST", "/config/provider-endpoint-profiles/discover-models"),
    "change": At("PUT", "/config/provider-endpoint-profiles/{profile_id}"),
    "used_by": At("GET", "/config/provider-endpoint-profiles/{profile_id}/used-by"),
}
CRUD: Final = At("GET", "/visualflows")
DRAWINGS: Final[Mapping[str, At]] = {
    "list": CRUD,
    "item": At("GET", "/visualflows/{flow_id}"),
    "check": At("GET", "/visualflows/{flow_id}/check"),
    "behind_runs": At("GET", "/workflows/{workflow_id}/flow"),
}
PAST: Final[Mapping[str, At]] = {
    "fork": At("POST", "/runs/{run_id}/fork"),
    "replay": At("POST", "/runs/{run_id}/replay"),
    "diff": At("GET", "/runs/{run_id}/diff"),
    "export": At("GET", "/runs/{run_id}/export"),
    "import": At("POST", "/runs/import"),
    "bookmark": At("POST", "/runs/{run_id}/bookmarks"),
    "bookmarks": At("GET", "/bookmarks"),
    "bookmarked": At("GET", "/bookmarks/{bookmark_id}"),
    "restore": At("POST", "/bookmarks/{bookmark_id}/restore"),
    "verify": At("POST", "/bundles/{bundle_id}/verify"),
}
PUBLISH: Final = At("POST", "/visualflows/{flow_id}/publish")
INPUT_SCHEMA: Final = At("GET", "/bundles/{bundle_id}/flows/{flow_id}/input_schema")
UPLOAD: Final = At("POST", "/attachments/upload")
DEFAULTS: Final = At("GET", "/config/capability-defaults")
POLICY: Final = At("GET", "/workspace/policy")
MEMORY: Final = At("POST", "/kg/query")
SIMULATE: Final = At("POST", "/visualflows/code/simulate")
RESIDENCY: Final = At("GET", "/models/loaded")
MEDIA: Final = (
    "generated_image", "edited_image", "upscaled_image", "generated_video", "image_to_video", "generated_voice",
    "generated_music",
)  # fmt: skip
ASKING: Final = "llm_call"  # the effect without which nobody can talk with an agent
CATALOG: Final = {
    "contract": "gateway_catalog_v1", "version": 1, "metadata_field": "catalog",
    "primary_items_field": "items", "items_field": "items",
    "provider_item_fields": ["id", "label", "provider"], "model_item_fields": ["id", "label", "provider"],
}  # fmt: skip


def absent_in(actions: Actions) -> re.Pattern[str]:
    """The paths of contracts that no route keeps: what is asked there belongs to an absent feature."""
    tables = (
        RUNS, SCHEDULES, LEDGER, PAST, ARTIFACTS, BUNDLES, DRAWINGS, WORKSPACE, DISCOVERY, PROFILES,
    )  # fmt: skip
    places = [at.path for table in tables for at in table.values()]
    places += [
        at.path
        for at in (
            CRUD,
            PUBLISH,
            INPUT_SCHEMA,
            UPLOAD,
            DEFAULTS,
            POLICY,
            MEMORY,
            SIMULATE,
            RESIDENCY,
        )
    ]
    kept = {path for _, path in actions}
    absent = (PREFIX + path for path in places if PREFIX + path not in kept)
    return re.compile("|".join(re.sub(r"\{\w+\}", "[^/]+", path) for path in absent) or "(?!)")


def contracts_of(
    actions: Actions, principal: Principal, collaborators: Collaborators
) -> dict[str, Json]:
    """Every contract by its name, as it stands for `principal`."""
    asked = _Asked(actions, principal, collaborators)
    common = _common(asked)
    agent = _agent(asked, common)
    contracts: dict[str, Any] = {
        "version": VERSION,
        "common": {**common, "readiness": _readiness(common)},
        "flow_editor": _flow_editor(asked, common),
        "assistant": agent,
        "abstractcode": {**agent, "workspace": common["workspace"]},
        "features": _features(collaborators),
        "operations": asked.operations(),
    }
    for feature in collaborators.registry.features:
        for name, facts in feature.contracts.items():
            _plant(contracts, name.split("."), facts)
    return contracts


class _Asked:
    """What is there, and open to whoever asks."""

    def __init__(
        self, actions: Actions, principal: Principal, collaborators: Collaborators
    ) -> None:
        self._actions, self._principal, self._rules = actions, principal, collaborators.rules
        self._registry = collaborators.registry
        self.attachment_bytes_max: Final = collaborators.settings.attachment_bytes_max

    def holds(self, at: At) -> bool:
        """Whether the contract holds."""
        action = self._actions.get((at.method, PREFIX + at.path))
        return action is not None and allowed(action, self._principal, self._rules)

    def performs(self, kind: str) -> bool:
        """Whether effects of a kind are performed here."""
        return self._registry.effect(kind) is not None

    def one(self, at: At) -> dict[str, Json]:
        """The contract with its place, and why it does not hold where that may be said."""
        told: dict[str, Json] = {
            "available": self.holds(at),
            "endpoint": PREFIX + at.path,
            **at.facts,
        }
        if not told["available"]:
            action = self._actions.get((at.method, PREFIX + at.path))
            told |= {"reason_code": "feature_absent"} if action is None else self.standing(action)
        return told

    def standing(self, action: str) -> dict[str, Json]:
        """Whether whoever asks may do an action, and what they lack where they may not."""
        why = denied(action, self._principal, self._rules)
        if why is None:
            return {"available": True}
        return {"available": False, "reason_code": why.reason_code, **why.needed}

    def operations(self) -> dict[str, Json]:
        """Every action that is not hidden, how it stands, and what is done under it."""
        found: dict[str, Any] = {}
        for (method, path), action in sorted(self._actions.items()):
            if not self._rules[action].hidden:
                told = found.setdefault(action, {**self.standing(action), "operations": []})
                told["operations"].append({"method": method, "endpoint": path})
        return found

    def all(self, table: Mapping[str, At]) -> dict[str, Json]:
        """Several contracts by name."""
        return {name: self.one(at) for name, at in table.items()}

    def places(self, table: Mapping[str, At]) -> dict[str, Json]:
        """The places alone, of those that hold."""
        return {name: PREFIX + at.path for name, at in table.items() if self.holds(at)}


def _common(asked: _Asked) -> dict[str, Json]:
    upload = asked.one(UPLOAD)
    return {
        "runs": asked.all(RUNS),
        "schedules": asked.all(SCHEDULES),
        "past": asked.all(PAST),
        "ledger": asked.all(LEDGER),
        "artifacts": asked.all(ARTIFACTS),
        "attachments": {"upload": upload, "max_upload_bytes": asked.attachment_bytes_max},
        "workspace": {
            "policy_endpoint": PREFIX + POLICY.path if asked.holds(POLICY) else None,
            **asked.all(WORKSPACE),
        },
        "configuration": {
            "capability_defaults": asked.one(DEFAULTS), "provider_endpoint_profiles": asked.all(PROFILES),
        },
        "execution": {"code": {"available": asked.holds(SIMULATE), "modes": []}},
        "discovery": {**asked.places(DISCOVERY), "catalog_contract": CATALOG},
        "prompt_cache": {
            "provider_controls": False, "provider_controls_available": False, "session_lifecycle": False,
            "session_lifecycle_available": False, "durable_blocs": {"available": False},
        },
        "model_residency": {"available": asked.holds(RESIDENCY), "route_available": asked.holds(RESIDENCY)},
        "memory": {"available": asked.holds(MEMORY), "route_available": asked.holds(MEMORY)},
    }  # fmt: skip


def _flow_editor(asked: _Asked, common: Mapping[str, Json]) -> dict[str, Json]:
    crud, publish = asked.holds(CRUD), asked.one(PUBLISH)
    media = {name: {"available": False} for name in MEDIA}
    return {
        "available": crud and publish["available"],
        "version": VERSION,
        "visualflows": {
            "crud": {
                "available": crud, "collection_endpoint": PREFIX + CRUD.path,
                "item_endpoint": f"{PREFIX}{CRUD.path}/{{flow_id}}",
            },
            "publish": publish,
            **asked.all(DRAWINGS),
        },
        "bundles": asked.all(BUNDLES),
        "run_input_schema": {**asked.one(INPUT_SCHEMA), "version": VERSION},
        **{name: common[name] for name in ("runs", "ledger", "artifacts", "model_residency", "execution")},
        "media": media,
        "helpers": asked.places({"providers": DISCOVERY["providers"], "tools": DISCOVERY["tools"],
                                 "workspace_policy": POLICY, "kg_query": MEMORY}),
    }  # fmt: skip


def _agent(asked: _Asked, common: Mapping[str, Json]) -> dict[str, Json]:
    """What a client that talks with agents builds on."""
    needed = (RUNS["start"], RUNS["summary"], RUNS["commands"], LEDGER["replay"], LEDGER["stream"])
    return {
        "available": asked.performs(ASKING) and all(map(asked.holds, needed)),
        "version": VERSION,
        **{
            name: common[name]
            for name in ("runs", "ledger", "artifacts", "model_residency", "prompt_cache")
        },
        "media": {name: {"available": False} for name in MEDIA},
    }


def _features(collaborators: Collaborators) -> dict[str, Json]:
    """Every feature by its name, those that are left out too."""
    off = {
        name: {"available": False, "reason_code": "feature_absent"}
        for name in collaborators.settings.features_off
    }
    return off | {it.name: {"available": True} for it in collaborators.registry.features}


def _readiness(common: Mapping[str, Json]) -> dict[str, Json]:
    """The same in one flat table of yes and no."""
    surfaces = {
        name: {it: told["available"] for it, told in common[name].items()}
        for name in ("runs", "ledger", "artifacts")
    }
    surfaces["ledger"]["stream_transport"] = "sse"
    return {
        "contract": "gateway_surface_readiness_v1",
        "version": VERSION,
        "truth_scope": "gateway_contract_surface",
        "limitations": [],
        "surfaces": surfaces,
    }


def _plant(tree: dict[str, Any], path: list[str], facts: Json) -> None:
    """Put what a feature says of a contract at its place."""
    *above, name = path
    for part in above:
        tree = tree.setdefault(part, {})
    kept = tree.get(name)
    tree[name] = {**kept, **facts} if isinstance(kept, dict) and isinstance(facts, dict) else facts
