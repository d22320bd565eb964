"""Opens the control store with its keys, and says who may come in."""

import hashlib
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import anyio
from pydantic import SecretStr

from perdure.adapters.keyfiles import drop, key_in, put_new
from perdure.adapters.notary import open_notary
from perdure.adapters.sealer import AesSealer, Ring, RingFile, ring_from_command, ring_of
from perdure.adapters.signer import MarkSigner
from perdure.adapters.sql.audit import SqlAudit
from perdure.adapters.sql.control import SqlControl, open_postgres_control, open_sqlite_control
from perdure.adapters.sql.plane import Pools
from perdure.adapters.sql.principals import SqlPrincipals
from perdure.adapters.sql.profiles import SqlSharedProfiles
from perdure.adapters.sql.sessions import SqlSessions
from perdure.adapters.sql.tokens import SqlTokens
from perdure.app.settings import Settings
from perdure.app.token_files import bootstrap_path, installation_token_of, token_of
from perdure.clock import Clock, text_of
from perdure.errors import Invalid, UserExists
from perdure.identity.audit import Entry
from perdure.identity.credentials import Credentials, SingleToken
from perdure.identity.sessions import SessionLife
from perdure.identity.tokens import Shown, read_token, text_of_token
from perdure.ids import new_secret, new_token_id
from perdure.runtimes.control import ControlContext
from perdure.services import principals
from perdure.services.audit import note
from perdure.services.credentials import StoredCredentials
from perdure.services.uses import Uses

if TYPE_CHECKING:
    from sqlalchemy import Engine

PEPPER: Final = "pepper"
SESSION: Final = "session"
AUDIT: Final = "audit"
SECRETS: Final = "secrets"
OFFLINE: Final = "offline"  # who acts in the audit where nobody is asked for a credential


class Ground(NamedTuple):
    """What all planes and the control store stand on."""

    store: SqlControl
    pools: Pools
    engine: "Engine | None"  # of Postgres, where that keeps them


async def open_ground(stack: AsyncExitStack, settings: Settings) -> Ground:
    """Open the control store, in SQLite or in Postgres, to be closed with `stack`.

    Raises `Unavailable` where another process holds it, `SchemaNewer`, `StoreFailed`.
    """
    pools = Pools()
    stack.callback(pools.close)
    engine = None if settings.database_url is None else _engine(stack, settings.database_url)
    if engine is None:
        store = await open_sqlite_control(settings.data_dir / "control.db", pools.readers)
    else:
        store = await open_postgres_control(engine, pools.readers)
    stack.push_async_callback(store.close)
    return Ground(store, pools, engine)


def _engine(stack: AsyncExitStack, url: SecretStr) -> "Engine":
    from perdure.adapters.sql.postgres import postgres_engine

    engine = postgres_engine(url.get_secret_value())
    stack.callback(engine.dispose)
    return engine


async def open_control(
    stack: AsyncExitStack, settings: Settings, ground: Ground, clock: Clock
) -> ControlContext:
    """The control store with its keys, which are made where there are none. Raises `Unavailable`."""
    database, threads = ground.store.database, ground.pools.readers
    audit = SqlAudit(database, threads)
    stack.push_async_callback(audit.close)
    keys = settings.data_dir / "keys"
    return ControlContext(
        principals=SqlPrincipals(database, threads),
        tokens=SqlTokens(database, threads),
        sessions=SqlSessions(database, threads),
        audit=audit,
        planes=ground.store,
        profiles=SqlSharedProfiles(database, threads),
        clock=clock,
        pepper=key_in(settings.pepper_file or keys / PEPPER, "tokens"),
        signer=MarkSigner(_session_key(settings, keys)),
        notary=open_notary(keys / AUDIT),
        sealer=AesSealer(ring_reader(settings)),
        session_life=SessionLife(
            settings.session_idle_s, settings.session_ttl_s, settings.remember_session_ttl_s
        ),
    )


def ring_file(settings: Settings) -> RingFile:
    """The file of the keys that seal secrets."""
    return RingFile(settings.secrets_key_file or settings.data_dir / "keys" / SECRETS)


def ring_reader(settings: Settings) -> Callable[[], Ring]:
    """How the keys that seal secrets are read: from the setting, else from a command, else from a file."""
    given, command = settings.secrets_key, settings.secrets_key_command
    if given is not None:
        return lambda: ring_of(given.get_secret_value())
    if command is not None:
        return lambda: ring_from_command(command.get_secret_value())
    return ring_file(settings).read


def _session_key(settings: Settings, keys: Path) -> bytes:
    if settings.session_secret is not None:
        return hashlib.sha256(settings.session_secret.get_secret_value().encode()).digest()
    return key_in(settings.session_secret_file or keys / SESSION, "browser sessions")


# --- who may come in -----------------------------------------------------------------------------


async def open_credentials(
    stack: AsyncExitStack, settings: Settings, control: ControlContext
) -> Credentials:
    """Who may come in: whoever has the installation's token, or in user mode every user with theirs."""
    if not settings.user_auth:
        return _single(token_of(settings))
    uses = Uses(control.tokens, control.sessions, control.clock)
    stack.push_async_callback(uses.flush)
    group = await stack.enter_async_context(anyio.create_task_group())
    stack.callback(group.cancel_scope.cancel)
    group.start_soon(uses.serve)
    set_on_purpose = installation_token_of(settings)
    return StoredCredentials(
        control, uses, None if set_on_purpose is None else _single(set_on_purpose)
    )


def _single(token: SecretStr) -> SingleToken:
    text = token.get_secret_value()
    return SingleToken([text], hashlib.sha256(b"key\0" + text.encode()).digest())


async def first_admin(settings: Settings, control: ControlContext) -> str | None:
    """Make the first admin where there is no user; their token, which nothing shows again.

    The token is in a file of its own before the user is in the store, so that no end of the
    process between the two loses it; the next start takes it from there.
    """
    if not settings.user_auth or await principals.is_anybody(control):
        return None
    path = bootstrap_path(settings)
    shown = _kept_token(path)
    try:
        await principals.create_first(control, shown)
    except UserExists:
        # Another process was faster, and wrote its own elsewhere: no token is left that is not good.
        if await control.tokens.find(shown.id) is None:
            drop(path)
        return None
    await _noted(control, "user:bootstrap")
    return text_of_token(*shown)


async def reinstate_admin(settings: Settings, control: ControlContext) -> str:
    """Let the first admin in again by a new token alone; their token, which is in the file as well."""
    path = bootstrap_path(settings)
    drop(path)
    shown = _kept_token(path)
    await principals.reinstate_first(control, shown)
    await _noted(control, "user:reinstate")
    return text_of_token(*shown)


def _kept_token(path: Path) -> Shown:
    """The token in a file, put there where there is none. Raises `Invalid` for a file without one."""
    text = text_of_token(new_token_id(), new_secret())
    if not put_new(path, f"{text}\n".encode()):
        text = path.read_text().strip()
    shown = read_token(text)
    if shown is None:
        raise Invalid(f"{path} holds no token; remove it, and the next start writes one.")
    return shown


async def _noted(control: ControlContext, action: str) -> None:
    entry = Entry(
        principals.HOME, OFFLINE, action, "user", at=text_of(control.clock.now()),
        subject=principals.FIRST, target=principals.FIRST,
    )  # fmt: skip
    await note(control, entry)
