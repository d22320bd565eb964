"""What one admin may give to another: never more than they have themselves."""

from collections.abc import Collection

from perdure.identity.access import EVERYTHING, in_scope
from perdure.identity.principal import Principal
from perdure.identity.users import LOCAL, OVER_ALL


def covers(giver: Principal, scopes: Collection[str]) -> bool:
    """Whether somebody with these scopes could do nothing that the giver cannot.

    No scopes at all stand for everything that the role allows.
    """
    if OVER_ALL in scopes and not (giver.tenant == LOCAL or OVER_ALL in giver.scopes):
        return False
    own = {it for it in giver.scopes if it != OVER_ALL}
    if not own or EVERYTHING in own:
        return True
    asked = {it for it in scopes if it != OVER_ALL}
    return bool(asked) and all(in_scope(it, own) for it in asked)
