"""How bundles and flows are named on the wire, and which version a bare name means."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from perdure.bundles.paths import quoted
from perdure.errors import Invalid

ID_LETTERS_MAX = 128
DRAFT_PREFIX = "draft."
DEFAULT_VERSION = "0.0.0"

_ID = re.compile(r"[._-]*[A-Za-z0-9][A-Za-z0-9._-]*")
_FOREIGN = re.compile(r"[^A-Za-z0-9._-]+")
_SEMVER = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18}){0,2}")
_NEVER = datetime.min.replace(tzinfo=UTC)


class BundleRef(NamedTuple):
    """A bundle, and its version if one was named."""

    bundle_id: str
    version: str | None = None


class FlowRef(NamedTuple):
    """A flow, and its bundle and version as far as they were named."""

    flow_id: str
    bundle_id: str | None = None
    version: str | None = None


def is_id(text: str) -> bool:
    """Whether `text` can be the id of a bundle or a flow, or a version."""
    return len(text) <= ID_LETTERS_MAX and _ID.fullmatch(text) is not None


def sanitise_id(text: str) -> str:
    """The id that is nearest to `text`. Raises `Invalid` where nothing of it can stand."""
    nearest = _FOREIGN.sub("-", text).strip("-")[:ID_LETTERS_MAX]
    if not is_id(nearest):
        raise Invalid(f"No id can be made of {quoted(text)}.", reason="bad_id")
    return nearest


def bundle_ref(bundle_id: str, version: str) -> str:
    """A bundle's name on the wire."""
    return f"{bundle_id}@{version}"


def workflow_id(bundle_id: str, version: str, flow_id: str) -> str:
    """A flow's name on the wire. It is made here and never parsed from a stored run."""
    return f"{bundle_id}@{version}:{flow_id}"


def parse_ref(text: str) -> BundleRef:
    """Read `id` or `id@version`. Raises `Invalid`."""
    bundle_id, at, version = text.partition("@")
    return BundleRef(_id(bundle_id, text), _id(version, text) if at else None)


def parse_flow_ref(text: str) -> FlowRef:
    """Read `flow`, `bundle:flow` or `bundle@version:flow`. Raises `Invalid`."""
    bundle, colon, flow_id = text.rpartition(":")
    if not colon:
        return FlowRef(_id(flow_id, text))
    return FlowRef(_id(flow_id, text), *parse_ref(bundle))


def is_draft(version: str) -> bool:
    """Whether `version` belongs to the draft channel."""
    return version.startswith(DRAFT_PREFIX)


def latest(versions: Mapping[str, str], *, drafts: bool = False) -> str | None:
    """Say which version a bare id means, given when each was created; `None` if none is left.

    The highest if all are numbers, else the newest. Drafts count only if asked for.
    """
    open_to = [version for version in versions if drafts or not is_draft(version)]
    if all(map(_SEMVER.fullmatch, open_to)):
        return max(open_to, key=lambda it: (_numbers(it), it), default=None)
    return max(open_to, key=lambda it: (_moment(versions[it]), it), default=None)


def _id(part: str, text: str) -> str:
    if not is_id(part):
        raise Invalid(f"{quoted(text)} names no bundle or flow.", reason="bad_ref")
    return part


def _numbers(version: str) -> tuple[int, ...]:
    numbers = tuple(int(part) for part in version.split("."))
    return numbers + (0,) * (3 - len(numbers))


def _moment(created_at: str) -> datetime:
    """When it was; what cannot be read was before everything else."""
    try:
        moment = datetime.fromisoformat(created_at)
    except ValueError:
        return _NEVER
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
