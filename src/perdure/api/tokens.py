"""`/me/tokens`: the tokens of whoever asks."""

from starlette.responses import Response

from perdure.api.deps import CurrentAct, CurrentControl, CurrentPrincipal, require
from perdure.api.routing import answers, json_of, resource
from perdure.api.schemas import users as shown
from perdure.api.schemas.fields import NamePath
from perdure.ids import TokenId
from perdure.services import tokens

router = resource("me")


@router.get(
    "/me/tokens", dependencies=[require("token:read")], responses=answers(shown.Tokens, 404)
)
async def list_own_tokens(principal: CurrentPrincipal, control: CurrentControl) -> Response:
    """List what is known of one's own tokens."""
    found = await tokens.tokens_of(control, principal.tenant, principal.user)
    return json_of({"tokens": [shown.token_of(it) for it in found]})


@router.post(
    "/me/tokens",
    dependencies=[require("token:write")],
    responses=answers(shown.OneToken, 404, body=True),
)
async def create_own_token(
    body: shown.CreateToken, principal: CurrentPrincipal, control: CurrentControl, act: CurrentAct
) -> Response:
    """Have another token, and see it, once."""
    new = await tokens.issue(
        control, principal.tenant, principal.user, name=body.name, expires_at=body.expires_at
    )
    act.about(target=new.token.id, name=new.token.name)
    return json_of(shown.one_token(new))


@router.delete(
    "/me/tokens/{token_id}",
    dependencies=[require("token:write")],
    responses=answers(shown.RevokedToken, 404),
)
async def revoke_own_token(
    token_id: NamePath, principal: CurrentPrincipal, control: CurrentControl
) -> Response:
    """End one of one's own tokens, and the browser sessions opened with it."""
    await tokens.revoke(control, principal.tenant, principal.user, TokenId(token_id))
    return json_of({"ok": True, "revoked": True, "id": token_id})
