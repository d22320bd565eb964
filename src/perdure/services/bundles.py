"""Installed bundles of a runtime: listed, shown, put in and taken out; and which flow a request means."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import anyio.to_thread

from perdure.bundles.bundle import Bundle
from perdure.bundles.codec import read_bundle
from perdure.bundles.flow import input_schema
from perdure.bundles.manifest import Manifest, read_manifest, write_manifest
from perdure.bundles.paths import quoted
from perdure.bundles.refs import FlowRef, bundle_ref, is_draft, latest, parse_flow_ref, parse_ref
from perdure.clock import text_of
from perdure.errors import (
    BundleNotFound,
    Deprecated,
    DuplicateCommand,
    FlowNotFound,
    Invalid,
    KeyReused,
)
from perdure.identity.audit import Entry
from perdure.ids import RunId
from perdure.kernel.model import ProgramRef
from perdure.kernel.values import Json
from perdure.runtimes.context import RuntimeContext
from perdure.services.births import Chosen, StartRequest
from perdure.services.schedules import DEPRECATE, SCHEDULE
from perdure.stores.bundles import WHOLE, Installed, Word, mark_of
from perdure.stores.inbox import Message

KIND = "flow"  # of the programs that flows become
DRAFT_PURPOSE = "draft_test"
DEFAULT_BUNDLE = "basic-agent"


class Versions(NamedTuple):
    """The installed versions of one bundle, by version."""

    bundle_id: str
    installed: Mapping[str, Installed]

    @property
    def published(self) -> str | None:
        """The version that a bare id means, or `None` where there are drafts only."""
        return latest(self._created())

    @property
    def newest(self) -> str | None:
        """The newest version, drafts among them."""
        return latest(self._created(), drafts=True)

    def _created(self) -> dict[str, str]:
        return {version: one.created_at for version, one in self.installed.items()}


class Shown(NamedTuple):
    """An installed bundle as lists show it."""

    facts: Installed
    manifest: Manifest
    versions: Versions

    @property
    def ref(self) -> str:
        """Its name on the wire."""
        return bundle_ref(self.facts.bundle_id, self.facts.bundle_version)


class Which(NamedTuple):
    """Which bundles a list is about."""

    all_versions: bool = False
    drafts: bool = False
    deprecated: bool = False


class DrawnFlow(NamedTuple):
    """One flow of a bundle."""

    bundle: Bundle
    flow_id: str
    flow: Json

    def schema(self) -> dict[str, Json]:
        """Its inputs, as forms need them."""
        return input_schema(self.flow)


# --- which flow a request means ------------------------------------------------------------------


async def chosen(runtime: RuntimeContext, request: StartRequest) -> Chosen:
    """The flow that a request to start means, ready to be pinned.

    Raises `Invalid` where it is not said clearly, `BundleNotFound`, `FlowNotFound` where it is
    not there, `Deprecated` where it takes no new runs, and `DigestMismatch` where the bytes are no
    longer those that were installed.
    """
    ref = _named(request)
    bundles = await _all(runtime, ref.bundle_id)
    facts = _picked(bundles, ref)
    if is_draft(facts.bundle_version) and not _for_drafts(request.lifecycle):
        raise Invalid(
            f"A draft is started with run_lifecycle.purpose {DRAFT_PURPOSE!r}.", reason="draft"
        )
    await runtime.plane.bundles.check(facts.sha256)
    bundle = await runtime.bundle(facts.sha256)
    flow_id = ref.flow_id or bundle.default_flow()
    bundle.flow(flow_id)
    _check_open(facts, bundle, flow_id)
    return Chosen(ProgramRef(KIND, facts.sha256, flow_id), bundle.workflow_id(flow_id))


def _named(request: StartRequest) -> FlowRef:
    """What the request names, from whichever of its fields; the empty flow is the default one."""
    ref = parse_flow_ref(request.flow_id) if request.flow_id else FlowRef("")
    if request.bundle_id:
        bundle_id, version = parse_ref(request.bundle_id)
        ref = ref._replace(
            bundle_id=_same(ref.bundle_id, bundle_id, "bundle_id"),
            version=_same(ref.version, version, "bundle_version"),
        )
    if request.bundle_version:
        ref = ref._replace(version=_same(ref.version, request.bundle_version, "bundle_version"))
    return ref


def _same(first: str | None, second: str | None, field: str) -> str | None:
    if first is not None and second is not None and first != second:
        raise Invalid(f"The request names two: {field} is {quoted(first)} and {quoted(second)}.")
    return first if second is None else second


def _picked(bundles: Mapping[str, Versions], ref: FlowRef) -> Installed:
    if ref.bundle_id is not None:
        return _version(bundles, ref.bundle_id, ref.version)
    if len(bundles) == 1:
        return _version(bundles, next(iter(bundles)), ref.version)
    raise Invalid(
        "Name the bundle: give bundle_id, or a flow_id such as `bundle:flow`.",
        reason="bundle_not_named",
    )


def _version(bundles: Mapping[str, Versions], bundle_id: str, version: str | None) -> Installed:
    versions = bundles.get(bundle_id)
    if versions is not None:
        facts = versions.installed.get(version or versions.published or "")
        if facts is not None:
            return facts
    named = bundle_id if version is None else bundle_ref(bundle_id, version)
    raise BundleNotFound(f"There is no bundle {quoted(named)}.")


def _for_drafts(lifecycle: Json) -> bool:
    return isinstance(lifecycle, dict) and lifecycle.get("purpose") == DRAFT_PURPOSE


def _check_open(facts: Installed, bundle: Bundle, flow_id: str) -> None:
    mark = mark_of(facts.deprecated, flow_id)
    if mark is not None:
        why = f": {mark['reason']}" if mark.get("reason") else ""
        workflow_id = bundle.workflow_id(flow_id)
        raise Deprecated(f"{workflow_id} is deprecated{why}.", deprecated_at=mark.get("at"))


# --- showing -------------------------------------------------------------------------------------


async def listed(runtime: RuntimeContext, which: Which) -> Sequence[Shown]:
    """Installed bundles, by id and version: of each the version that a bare id means, or all."""
    rows = [
        Shown(facts, read_manifest(facts.manifest), versions)
        for versions in (await _all(runtime)).values()
        for facts in _shown_versions(versions, which)
    ]
    return [row for row in rows if which.deprecated or not _all_deprecated(row)]


def default_of(rows: Sequence[Shown]) -> str | None:
    """The bundle that a client may preselect, or `None`."""
    ids = {row.facts.bundle_id for row in rows}
    if len(ids) == 1:
        return ids.pop()
    return DEFAULT_BUNDLE if DEFAULT_BUNDLE in ids else None


def _shown_versions(versions: Versions, which: Which) -> list[Installed]:
    if which.all_versions:
        wanted = [it for it in versions.installed if which.drafts or not is_draft(it)]
    else:
        wanted = [it for it in (versions.newest if which.drafts else versions.published,) if it]
    return [versions.installed[version] for version in wanted]


def _all_deprecated(row: Shown) -> bool:
    return all(mark_of(row.facts.deprecated, entry.flow_id) for entry in row.manifest.entrypoints)


async def detail(
    runtime: RuntimeContext, bundle_id: str, version: str | None
) -> tuple[Shown, Bundle]:
    """One bundle with what is in it. Raises `BundleNotFound`, `Invalid`."""
    named, inner = parse_ref(bundle_id)
    bundles = await _all(runtime, named)
    facts = _found(bundles, named, _same(inner, version or None, "bundle_version"))
    shown = Shown(facts, read_manifest(facts.manifest), bundles[named])
    return shown, await runtime.bundle(facts.sha256)


async def flow(
    runtime: RuntimeContext, bundle_id: str, flow_id: str, version: str | None
) -> DrawnFlow:
    """One flow of a bundle. Raises `BundleNotFound`, `FlowNotFound`, `Invalid`."""
    _, bundle = await detail(runtime, bundle_id, version)
    return DrawnFlow(bundle, flow_id, bundle.flow(flow_id))


def _found(bundles: Mapping[str, Versions], bundle_id: str, wanted: str | None) -> Installed:
    """The version that is named, else the published one, else the newest draft."""
    versions = bundles.get(bundle_id)
    if wanted is None and versions is not None and versions.published is None:
        wanted = versions.newest
    return _version(bundles, bundle_id, wanted)


# --- changing ------------------------------------------------------------------------------------


async def upload(
    runtime: RuntimeContext,
    content: bytes,
    *,
    overwrite: bool = False,
    key: str | None = None,
    entry: Entry | None = None,
) -> tuple[Installed, Bundle]:
    """Install a bundle whose entry flows can all run. The same bytes again change nothing.

    Raises `BundleRefused`, `FlowRefused`, `KeyReused` where `key` came before with another
    bundle, and `BundleExists` where this version has other bytes.
    """
    bundle = await anyio.to_thread.run_sync(read_bundle, content)
    for entrypoint in bundle.manifest.entrypoints:
        runtime.registry.program(ProgramRef(KIND, bundle.sha256, entrypoint.flow_id), bundle)
    at = text_of(runtime.clock.now())
    if key is not None:
        await _take_key(runtime, key, f"{bundle.sha256} {overwrite}", at)
    facts = facts_of(bundle, at)
    told = _told(entry, at, bundle.ref, change="install", sha256=bundle.sha256)
    installed, _ = await runtime.plane.bundles.install(
        content, facts, overwrite=overwrite, entry=told, word=word_of(at)
    )
    return installed, bundle


async def _take_key(runtime: RuntimeContext, key: str, body_hash: str, at: str) -> None:
    """Write down what a key stands for, once; installing again what is there does nothing anyway."""
    message = Message(f"upload:{key}", RunId(""), "upload")
    try:
        await runtime.plane.inbox.put(message, body_hash=body_hash, at=at, disposition="applied")
    except DuplicateCommand as duplicate:
        raise KeyReused from duplicate


def facts_of(bundle: Bundle, at: str, *, shipped: bool = False) -> Installed:
    """What is kept of a bundle beside its bytes."""
    return Installed(
        bundle_id=bundle.manifest.bundle_id,
        bundle_version=bundle.manifest.bundle_version,
        sha256=bundle.sha256,
        size_bytes=bundle.size,
        created_at=bundle.manifest.created_at or at,
        installed_at=at,
        manifest=write_manifest(bundle.manifest),
        shipped=shipped,
    )


async def remove(
    runtime: RuntimeContext, named: str, version: str | None, entry: Entry | None = None
) -> tuple[str, int]:
    """Take one version, or all, off the list; what was named, and how many. Raises `BundleNotFound`.

    Runs that are pinned to them go on.
    """
    bundle_id, inner = parse_ref(named)
    wanted = _same(inner, version or None, "bundle_version")
    ref = bundle_id if wanted is None else bundle_ref(bundle_id, wanted)
    told = _told(entry, text_of(runtime.clock.now()), ref, change="remove")
    removed = await runtime.plane.bundles.remove(bundle_id, wanted, entry=told)
    if not removed:
        raise BundleNotFound(f"There is no bundle {quoted(ref)}.")
    return ref, removed


async def deprecate(
    runtime: RuntimeContext,
    bundle_id: str,
    flow_id: str | None,
    reason: str | None,
    entry: Entry | None = None,
) -> dict[str, Json]:
    """Let a flow, or all of a bundle, take no new runs; the mark. Raises `BundleNotFound`, `FlowNotFound`."""
    mark = {"at": text_of(runtime.clock.now()), "reason": reason}
    await _mark(runtime, bundle_id, flow_id, mark, entry)
    return mark


async def undeprecate(
    runtime: RuntimeContext, bundle_id: str, flow_id: str | None, entry: Entry | None = None
) -> bool:
    """Let it take new runs again; whether it did not. Raises as `deprecate` does."""
    return await _mark(runtime, bundle_id, flow_id, None, entry)


async def reload(runtime: RuntimeContext, entry: Entry | None = None) -> list[str]:
    """The ids of what is installed. Nothing has to be loaded again, and still who asked is on record."""
    if entry is not None:
        at = text_of(runtime.clock.now())
        await runtime.plane.audit.add(entry._replace(at=at, facts={"change": "reload"}))
    return await ids(runtime)


def _told(entry: Entry | None, at: str, ref: str, **facts: str) -> Entry | None:
    """What the audit is to know of a change."""
    return None if entry is None else entry._replace(at=at, target=ref, facts=facts)


async def _mark(
    runtime: RuntimeContext,
    bundle_id: str,
    flow_id: str | None,
    mark: Json,
    entry: Entry | None,
) -> bool:
    versions = (await _all(runtime, bundle_id)).get(bundle_id)
    if versions is None:
        raise BundleNotFound(f"There is no bundle {quoted(bundle_id)}.")
    named = flow_id or WHOLE
    manifests = [read_manifest(it.manifest) for it in versions.installed.values()]
    if named != WHOLE and not any(named in it.flows for it in manifests):
        raise FlowNotFound(f"There is no flow {quoted(named)} in {bundle_id}.")
    change = "undeprecate" if mark is None else "deprecate"
    at = text_of(runtime.clock.now())
    told = _told(entry, at, bundle_id, change=change, flow_id=named)
    return await runtime.plane.bundles.deprecate(bundle_id, named, mark, word_of(at), entry=told)


def word_of(at: str) -> Word:
    """By which the schedules of a bundle hear of its marks."""
    return Word(SCHEDULE, DEPRECATE, at)


async def _all(runtime: RuntimeContext, bundle_id: str | None = None) -> dict[str, Versions]:
    """What is installed, or of it the one bundle that was named, by id."""
    by_id: dict[str, dict[str, Installed]] = {}
    for one in await runtime.plane.bundles.list(bundle_id):
        by_id.setdefault(one.bundle_id, {})[one.bundle_version] = one
    return {bundle_id: Versions(bundle_id, installed) for bundle_id, installed in by_id.items()}


async def ids(runtime: RuntimeContext) -> list[str]:
    """The ids of what is installed."""
    return sorted(await _all(runtime))
