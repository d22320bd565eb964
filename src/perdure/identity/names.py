"""The ids of tenants, users and runtimes: which are names, and which two look like one."""

import re
import unicodedata
from typing import Final

from perdure.errors import Unfit
from perdure.ids import RuntimeId, TenantId, UserId

LETTERS_MAX: Final = 128
_OTHER: Final = re.compile(r"[^A-Za-z0-9_.@-]")
_TENANT: Final = re.compile(r"[a-z0-9_@-](?:[a-z0-9_.@-]{0,126}[a-z0-9_@-])?")
RESERVED: Final = frozenset({"local"})  # the tenant of an installation's own token


def user_id_of(text: str) -> UserId:
    """The id of a user, as a person wrote it. Raises `Unfit`."""
    return UserId(_name_of(text, "user_id"))


def runtime_id_of(text: str) -> RuntimeId:
    """The id of a runtime, as a person wrote it. Raises `Unfit`."""
    return RuntimeId(_name_of(text, "runtime_id"))


def tenant_id_of(text: str) -> TenantId:
    """The id of a tenant. Raises `Unfit`: nothing is made of a text that is not one."""
    if not _TENANT.fullmatch(text) or text in RESERVED:
        raise Unfit(
            "tenant_id: write 1 to 128 of a-z, 0-9, _ . @ -, with no dot at either end; `local` is taken."
        )
    return TenantId(text)


def likeness_of(name: str) -> str:
    """What names that look alike have in common; no two of a kind may share it within a tenant."""
    return unicodedata.normalize("NFKC", name).casefold()


def _name_of(text: str, field: str) -> str:
    """A name: every other letter becomes `_`, and dots and lines at either end are left out.

    Letters outside ASCII are refused and not replaced: what is left of them might be another's name.
    """
    name = _OTHER.sub("_", text).strip("._")
    if not text.isascii() or not 0 < len(name) <= LETTERS_MAX:
        raise Unfit(f"{field}: write 1 to {LETTERS_MAX} of A-Z, a-z, 0-9, _ . @ -.")
    return name
