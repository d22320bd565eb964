"""The table of routes: what a request to each of them is made of, and who may ask.

A new route needs a row here, and a field of a name that is not in `kinds.FIELDS` an entry there;
a new kind of thing needs a maker in `things`. The trial says which of them is missing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from perdure.app.selftest import kinds
from perdure.app.selftest.kinds import NONE, Kinds

API: Final = "/api/gateway"


@dataclass(frozen=True, slots=True)
class Row:
    """One route, as the trial asks it. `{user}`, `{token}` and `{tenant}` in a body are the asker's own."""

    route: str  # the method and the path, below the prefix where it begins with one slash
    body: Mapping[str, Any] | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    file: bool = False  # whether a file goes along that is no bundle
    fill: Mapping[str, str] = field(default_factory=dict)  # what else its path needs
    needs: Sequence[
        str
    ] = ()  # ids that the request cannot do without, though the document leaves them out
    new: Sequence[str] = ()  # ids that name what the request makes
    once: bool = (
        False  # whether it moves what it is about, and so cannot be asked twice of one's own
    )
    makes: bool = (
        False  # whether it makes something under another's name where that is free, as with `new`
    )
    ids: Mapping[str, Kinds] = field(
        default_factory=dict
    )  # places of ids in free JSON, or of other kinds than `FIELDS` says
    repeats: Mapping[str, str] = field(
        default_factory=dict
    )  # places that say again what stands in another
    admin: bool = False  # for admins alone
    over_all: bool = False  # for admins of all tenants alone
    public: bool = False  # for those, too, who show no credential
    at_home: bool = False  # for them where the server is bound to loopback
    known: bool = True  # whether asking for what is not there is refused
    lists: bool = True  # whether what it tells changes only with what its reader has
    noted: bool = False  # whether asking is put on the record of who is asked about
    told: bool = False  # whether it tells its reader that others asked for them
    grows: Sequence[str] = ()  # parts of an answer that grow by what the request makes

    @property
    def method(self) -> str:
        """The method of the route."""
        return self.route.partition(" ")[0]

    @property
    def path(self) -> str:
        """The whole path of the route."""
        path = self.route.partition(" ")[2]
        return path[1:] if path.startswith("//") else API + path

    @property
    def reads(self) -> bool:
        """Whether the request changes nothing."""
        return self.method == "GET"


NOWHERE: Final = "http://127.0.0.1:9/v1"  # where nothing answers
WHY: Final = {"reason": "a trial of isolation"}
SEQ: Final = ("seq",)
START: Final = {"input_data": {"prompt": "whose is this?"}}
OF_RUN: Final = "/runs/{run_id}"
RUNS: Final = {"body.run_ids.0": (kinds.RUN,)}
OF_RUNS: Final = tuple(RUNS)
OF_SCHEDULE: Final = "/schedules/{schedule_id}"
OF_USER: Final = "/admin/users/{user_id}"
OF_BUNDLE: Final = "/bundles/{bundle_id}"
OF_DRAWING: Final = "/visualflows/{flow_id}"
A_DRAWING: Final = {"path.flow_id": (kinds.DRAWING,)}
DRAWN: Final = {
    "name": "a trial", "edges": [], "nodes": [{"id": "end", "type": "on_flow_end", "data": {}}],
}  # fmt: skip
OF_PROFILE: Final = "/config/provider-endpoint-profiles"
RETAINED: Final = "/admin/runtime-reservations"
HELD: Final = {"path.runtime_id": (kinds.RETAINED,), "query.cursor": (kinds.RETAINED,)}
TWICE: Final = {"body.confirm_runtime_id": "path.runtime_id"}

ROWS: Final[Sequence[Row]] = (
    # --- runs
    Row("POST /runs/start", START, makes=True, needs=["body.bundle_id"], ids={"body.input_data.document.$artifact": (kinds.ARTIFACT,)}),
    Row("GET /runs", ids={"query.cursor": (kinds.CURSOR,)}),
    Row(f"GET {OF_RUN}"),
    Row(f"GET {OF_RUN}/input_data"),
    Row(f"GET {OF_RUN}/history_bundle", query={"include_session": "true"}, lists=False),
    Row(f"GET {OF_RUN}/state"),
    Row(f"GET {OF_RUN}/verify"),
    Row(f"POST {OF_RUN}/fork", {"effects": "ask"}, makes=True),
    Row(f"POST {OF_RUN}/replay", grows=("records",)),
    Row(f"GET {OF_RUN}/diff", query={"from": "0"}),
    Row(f"POST {OF_RUN}/bookmarks", {"name": "a trial"}),
    Row(f"GET {OF_RUN}/bookmarks"),
    Row(f"GET {OF_RUN}/export", lists=False),
    Row("POST /runs/import", known=False, makes=True, ids={"file": (kinds.EXPORT,)}),
    Row("GET /bookmarks"),
    Row("GET /bookmarks/{bookmark_id}"),
    Row("DELETE /bookmarks/{bookmark_id}"),
    Row("POST /bookmarks/{bookmark_id}/restore", {}, makes=True),
    Row(f"GET {OF_RUN}/ledger"),
    Row(f"GET {OF_RUN}/ledger/stream", query={"heartbeat_s": "1"}),
    Row("POST /runs/ledger/batch", {"runs": [{"after": 0}], "limit": 10}, known=False),
    Row("POST /commands", {"type": "pause", "payload": {}}, new=["body.command_id"], once=True, grows=SEQ),
    Row("POST /commands", {"type": "resume", "payload": {"payload": {"response": "mine"}}}, new=["body.command_id"], once=True,
        needs=["body.payload.wait_key"], grows=SEQ, ids={"body.payload.wait_key": (kinds.WAIT,)}),
    Row("POST /commands", {"type": "emit_event", "payload": {"name": "greeting"}}, new=["body.command_id"], grows=SEQ,
        ids={"body.run_id": (kinds.RUN, kinds.SESSION), "body.payload.session_id": (kinds.SESSION,),
             "body.payload.workflow_id": (kinds.WORKFLOW,), "body.payload.run_id": (kinds.RUN,)}),
    Row("GET /commands/{command_id}"),
    # --- schedules
    Row("POST /runs/schedule", {**START, "start_at": "2999-01-01T00:00:00Z"}, makes=True, needs=["body.bundle_id"],
        ids={"body.input_data.document.$artifact": (kinds.ARTIFACT,)}),
    Row("GET /schedules", ids={"query.cursor": (kinds.CURSOR,)}),
    Row(f"GET {OF_SCHEDULE}"),
    Row(f"GET {OF_SCHEDULE}/occurrences"),
    Row(f"GET {OF_SCHEDULE}/preview"),
    Row("POST /runs/purge_drafts", {"force": True, "run_ids": [""]}, known=False, needs=OF_RUNS, ids=RUNS),
    # --- artifacts
    Row("GET /sessions/{session_id}/artifacts", known=False),
    Row(f"GET {OF_RUN}/artifacts"),
    Row(f"GET {OF_RUN}/artifacts/{{artifact_id}}"),
    Row(f"GET {OF_RUN}/artifacts/{{artifact_id}}/content"),
    Row("GET /artifacts/search", lists=False),
    Row("GET /artifacts/stats", lists=False),
    Row("POST /attachments/upload", file=True, known=False, makes=True, ids={"file": NONE},
        grows=["artifact", "metadata", "attachment"]),
    Row("GET /workspace/policy"),
    # --- bundles
    Row("GET /bundles"),
    Row("POST /bundles/upload", new=["file"]),
    Row("POST /bundles/reload"),
    Row(f"GET {OF_BUNDLE}"),
    Row(f"DELETE {OF_BUNDLE}"),
    Row(f"GET {OF_BUNDLE}/flows/{{flow_id}}"),
    Row(f"GET {OF_BUNDLE}/flows/{{flow_id}}/input_schema"),
    Row(f"POST {OF_BUNDLE}/deprecate", {"reason": "a trial"}),
    Row(f"POST {OF_BUNDLE}/undeprecate", {}),
    Row(f"POST {OF_BUNDLE}/verify", {"limit": 1, "run_ids": [""]}, needs=OF_RUNS, ids=RUNS),
    Row("GET /workflows/{workflow_id}/flow"),
    # --- flows that are being drawn
    Row("GET /visualflows"),
    Row("POST /visualflows", DRAWN, makes=True, ids={"body.nodes.0.id": NONE}),
    Row(f"GET {OF_DRAWING}", ids=A_DRAWING),
    Row(f"PUT {OF_DRAWING}", {"description": "a trial"}, ids={**A_DRAWING, "body.nodes.0.id": NONE}),
    Row(f"DELETE {OF_DRAWING}", ids=A_DRAWING),
    Row(f"GET {OF_DRAWING}/check", ids=A_DRAWING),
    Row(f"POST {OF_DRAWING}/publish", {}, ids=A_DRAWING, makes=True, grows=["bundle_version", "bundle_ref", "bundle_path"]),
    Row("POST /visualflows/code/simulate", {"code": "def transform(given):\n    return given"}),
    # --- who asks
    Row("GET /me"),
    Row("GET /ping"),
    Row("GET /me/tokens"),
    Row("POST /me/tokens", {"name": "another"}),
    Row("DELETE /me/tokens/{token_id}"),
    Row("GET /me/audit", told=True),
    Row("POST /session/login", {"token": "{token}"}, public=True),
    Row("POST /session/logout"),
    Row("GET /session/list"),
    Row("POST /session/logout_all"),
    Row("DELETE /session/{handle}"),
    # --- users, for admins
    Row("GET /admin/users", admin=True, ids={"query.cursor": (kinds.USER,)}),
    Row("POST /admin/users", {"email": ""}, admin=True, new=["body.user_id"]),
    Row(f"GET {OF_USER}", admin=True),
    Row(f"PATCH {OF_USER}", {"email": "trial@example.org"}, admin=True, makes=True),
    Row(f"PATCH {OF_USER}", {"rotate_token": True}, admin=True, ids={"body.runtime_id": NONE}),
    Row(f"PATCH {OF_USER}", {"enabled": False}, admin=True, ids={"body.runtime_id": NONE}),
    Row(f"DELETE {OF_USER}", admin=True),
    Row(f"GET {OF_USER}/tokens", admin=True),
    Row(f"POST {OF_USER}/tokens", {"name": "another"}, admin=True),
    Row(f"DELETE {OF_USER}/tokens/{{token_id}}", admin=True),
    Row(f"GET {OF_USER}/runs", query=WHY, admin=True, noted=True),
    Row(f"GET {OF_USER}/runs/{{run_id}}", query=WHY, admin=True, noted=True),
    Row(f"GET {OF_USER}/runs/{{run_id}}/ledger", query=WHY, admin=True, noted=True),
    # --- runtimes that nobody has, for admins
    Row(f"GET {RETAINED}", admin=True, ids=HELD),
    Row(f"POST {RETAINED}/{{runtime_id}}/transfer", {}, admin=True, ids=HELD, repeats=TWICE),
    Row(f"POST {RETAINED}/{{runtime_id}}/purge", {}, admin=True, ids=HELD, repeats=TWICE),
    # --- the audit, for admins
    Row("GET /audit", admin=True),
    Row("GET /audit/tail", admin=True),
    Row("GET /audit/export", admin=True, lists=False),
    Row("GET /audit/checkpoints", admin=True, lists=False),
    # --- what there is to use
    Row("GET /discovery/tools"),
    Row("GET /discovery/capabilities"),
    Row("GET /discovery/providers"),
    Row("GET /discovery/providers/{provider_name}/models", lists=False),
    Row("GET /discovery/models/capabilities", query={"model_name": "any"}),
    Row(f"GET {OF_PROFILE}"),
    Row(f"POST {OF_PROFILE}", {"display_name": "p", "base_url": NOWHERE}, new=["body.id"],
        grows=["profiles"]),
    Row(f"POST {OF_PROFILE}/discover-models", {}, needs=["body.profile_id"]),
    Row(f"PUT {OF_PROFILE}/{{profile_id}}", {"display_name": "another"}),
    Row(f"DELETE {OF_PROFILE}/{{profile_id}}"),
    Row(f"GET {OF_PROFILE}/{{profile_id}}/used-by"),
    # --- what the server says of itself
    Row("GET //api/health", public=True, known=False),
    Row("GET //healthz", public=True, known=False),
    Row("GET //readyz", public=True, known=False),
    Row("GET //metrics", admin=True, over_all=True, at_home=True, lists=False),  # counts the whole server, by route
    Row("GET //", public=True, known=False),
    Row("GET //console", public=True, known=False),
    Row("GET //problems", public=True, known=False),
    Row("GET //problems/{code}", fill={"path.code": "not_found"}, public=True, known=False),
    Row("GET //docs", at_home=True),
)  # fmt: skip
