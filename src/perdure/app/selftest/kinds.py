"""The kinds of things that an id may name, and which fields of the API name which."""

from collections.abc import Mapping
from typing import Final

ARTIFACT: Final = "artifact"
BOOKMARK: Final = "bookmark"
BUNDLE: Final = "bundle"
COMMAND: Final = "command"
CURSOR: Final = "cursor"  # a place in a list of runs
DRAWING: Final = "drawing"  # a flow under its author's hands
ENDPOINT: Final = "endpoint"  # a profile, as flows name it
EXPORT: Final = "export"  # the file of a run, a letter for each byte
FLOW: Final = "flow"
HANDLE: Final = "handle"  # of a browser session
KEY: Final = "key"  # under which a request was made once
PROFILE: Final = "profile"
REQUEST: Final = "request"
RETAINED: Final = "retained"  # a runtime that nobody has
RUN: Final = "run"
RUNTIME: Final = "runtime"
SCHEDULE: Final = "schedule"
SESSION: Final = "session"
TENANT: Final = "tenant"
TEXT: Final = "text"  # of a prompt
TOKEN: Final = "token"
USER: Final = "user"
VERSION: Final = "version"  # of a bundle
WAIT: Final = "wait"
WORKFLOW: Final = "workflow"

Kinds = tuple[str, ...]
NONE: Final[Kinds] = ()  # the field names nothing that somebody could have

# What a field of this name means, wherever it stands; a row may say otherwise for its route.
FIELDS: Final[Mapping[str, Kinds]] = {
    "actor": (USER,),
    "artifact_id": (ARTIFACT,),
    "bookmark_id": (BOOKMARK,),
    "bundle_id": (BUNDLE,),
    "bundle_version": (VERSION,),
    "command_id": (COMMAND,),
    "file": (BUNDLE,),  # the bundle in it, by its id
    "flow_id": (FLOW,),
    "handle": (HANDLE,),
    "id": (PROFILE,),
    "idempotency-key": (KEY,),
    "parent_run_id": (RUN,),
    "profile_id": (PROFILE,),
    "provider_name": (ENDPOINT,),
    "q": (RUN, TEXT, SESSION),
    "request_id": (REQUEST,),
    "root_run_id": (RUN,),
    "run_id": (RUN,),
    "runs": (RUN,),
    "runtime_id": (RUNTIME,),
    "schedule_id": (SCHEDULE,),
    "session_id": (SESSION,),
    "subject": (USER,),
    "target_user_id": (USER,),
    "tenant_id": (TENANT,),
    "token_id": (TOKEN,),
    "user_id": (USER,),
    "workflow_id": (WORKFLOW,),
} | dict.fromkeys(
    (
        "edits", "effects", "from_seq", "note", "outcomes", "tag",
        "access", "action", "delete_artifacts", "delete_workspaces", "dry_run", "include_active", "run_ids", "artifact_kind", "content_type", "filename", "if-range", "include_stats", "modality",
        "node_id", "order", "order_by", "query", "range", "render_kind", "semantic_kind", "source_path", "tags",
        "after", "all_versions", "allowed_models", "api_key", "base_url",
        "capabilities", "clear_api_key", "client_id", "code", "confirm_runtime_id", "created_after", "created_before", "deadline",
        "cursor", "delete_data", "deltas", "description", "edges", "entryNode", "detail", "display_name", "email", "enabled",
        "expires_at", "force", "function_name", "heartbeat_s", "include_deprecated", "include_drafts",
        "include_ledger_len", "include_metrics", "include_models", "include_session",
        "include_subruns", "input", "input_data", "interfaces", "last-event-id", "ledger_max_items", "ledger_mode", "limit",
        "max_bytes", "model_name", "name", "nodes", "offset", "outcome", "overlap_s", "overwrite", "payload", "permissions",
        "provider_family", "reason", "registry_scope", "reload", "reload_gateway", "remember", "resource_class", "roles",
        "root_only", "rotate_token", "run_lifecycle", "scope", "scopes", "seq", "source", "sourceHandle", "target", "targetHandle", "session_turn_limit",
        "since", "status", "thinking", "timeout_s", "token", "ts", "type", "until",
        "catchup_window", "cron", "dst", "from", "interval", "jitter", "overlap", "pause_after_failures",
        "repeat_count", "repeat_until", "run_timeout", "share_context", "start_at", "timezone", "to",
    ),
    NONE,
)  # fmt: skip
