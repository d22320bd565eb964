"""Mutants: each leaves out one check of whose a thing is, or one rule of who may ask. The matrix fails with each.

A mutant is a text in a file of `src/perdure`, and what it becomes. `only` names the routes that are
enough to notice it.
"""

from typing import Final, NamedTuple


class Mutant(NamedTuple):
    """One check left out."""

    name: str
    file: str
    old: str
    new: str
    only: str


USERS: Final = "/admin/users"
RETAINED: Final = "/runtime-reservations"
TOKENS: Final = "/me/tokens"
ACCESS: Final = "identity/access.py"
TOKENS_SQL: Final = "adapters/sql/tokens.py"
SESSIONS_SQL: Final = "adapters/sql/sessions.py"
USERS_SQL: Final = "adapters/sql/users.py"
PRINCIPALS_SQL: Final = "adapters/sql/principals.py"
RUNTIMES_SQL: Final = "adapters/sql/runtimes.py"
AUDIT_SQL: Final = "adapters/sql/audit.py"
PROFILES_SQL: Final = "adapters/sql/profiles.py"


def open_to_users(action: str, rest: str = "", *, only: str) -> Mutant:
    """An admin's action that users may do as well."""
    old, new = f'"{action}": rule(ADMIN{rest}', f'"{action}": rule(USER, ADMIN{rest}'
    return Mutant(f"users may {action}", ACCESS, old, new, only)


RULES: Final = (
    open_to_users("user:read", only=f"GET /api/gateway{USERS}"),
    open_to_users("user:write", ", audited=True)", only=f"PATCH /api/gateway{USERS}"),
    open_to_users("user:inspect", ", audited=True)", only="/runs/{run_id}/ledger"),
    open_to_users("audit:read", only="/audit/tail"),
    open_to_users("runtime:read", only=RETAINED),
    open_to_users("runtime:transfer", only="/transfer"),
    open_to_users("runtime:purge", only="/purge"),
    Mutant(
        "any tenant's admin is told of all tenants", ACCESS,
        "if one.over_all and not is_over_all(principal):", "if False:", "/metrics",
    ),
    Mutant(
        "nobody may look at what there is to use", ACCESS,
        '"discovery:read": rule(USER, ADMIN, own=True)', '"discovery:read": rule(USER, ADMIN, own=True, public=True)',
        "/discovery/tools",
    ),
    Mutant(
        "a rule asks for no role", ACCESS,
        "if principal is None or not one.roles & principal.roles:", "if principal is None:",
        f"GET /api/gateway{USERS}",
    ),
    Mutant(
        "a route asks for no right", "api/routing.py",
        "        check(self.action, asking(request), rules)\n", "        rules.get(self.action)\n",
        f"GET /api/gateway{USERS}",
    ),
)  # fmt: skip

WHO: Final = (
    Mutant(
        "an admin has a word in every tenant", "identity/users.py",
        "return principal.admin and (principal.tenant == tenant or is_over_all(principal))", "return True",
        f"GET /api/gateway{USERS}",
    ),
    Mutant(
        "every user is an admin", "identity/users.py",
        "        roles=user.roles,\n", "        roles=frozenset(Role),\n", f"GET /api/gateway{USERS}",
    ),
    Mutant(
        "every admin has every tenant in their scopes", "identity/users.py",
        "        scopes=user.scopes,\n", "        scopes=(OVER_ALL,),\n", f"GET /api/gateway{USERS}",
    ),
    Mutant(
        "all have one runtime", "identity/users.py",
        "        runtime=user.runtime,\n", '        runtime=RuntimeId("admin"),\n', "GET /api/gateway/runs",
    ),
    Mutant(
        "all have the runtimes of one tenant", "identity/users.py",
        "        runtime_tenant=user.tenant,\n", '        runtime_tenant=TenantId("default"),\n', "GET /api/gateway/runs",
    ),
    Mutant(
        "a token signs anybody in", "services/sessions.py",
        "if found is None or found.user.id != user:", "if found is None:", "/session/login",
    ),
    Mutant(
        "a tenant that is named is the one that is meant", "services/principals.py",
        "return tenant if is_over(actor, tenant) else NOWHERE", "return tenant", f"GET /api/gateway{USERS}",
    ),
    Mutant(
        "users of any tenant are listed", "api/users.py",
        "tenant = principals.tenant_of(principal, asked.tenant_id)",
        "tenant = asked.tenant_id or principal.tenant", f"GET /api/gateway{USERS}",
    ),
    Mutant(
        "retained runtimes of any tenant are listed", "api/retention.py",
        "tenant = tenant_of(actor, asked.tenant_id)", "tenant = asked.tenant_id or actor.tenant",
        f"GET /api/gateway/admin{RETAINED}",
    ),
    Mutant(
        "a runtime of any tenant is handed on", "api/retention.py",
        "    tenant = tenant_of(actor, body.tenant_id)\n    user, left",
        "    tenant = body.tenant_id or actor.tenant\n    user, left", "/transfer",
    ),
    Mutant(
        "a runtime of any tenant is purged", "api/retention.py",
        "    tenant = tenant_of(actor, body.tenant_id)\n    return json_of(shown.purged",
        "    tenant = body.tenant_id or actor.tenant\n    return json_of(shown.purged", "/purge",
    ),
    Mutant(
        "any tenant's audit is read", "services/audit.py",
        "return tenant if tenant == own or is_over(principal, tenant) else NOWHERE", "return tenant", "/audit/tail",
    ),
    Mutant(
        "all of a tenant's audit is told to each of it", "services/audit.py",
        "limit, before=before, subject=principal.user)", "limit, before=before)", "/me/",
    ),
    Mutant(
        "there is one audit for all", "services/audit.py",
        "    return principal.runtime_tenant\n", "    return HOME\n", "/audit",
    ),
)  # fmt: skip

TENANT: Final = 'tenant == bindparam("_tenant")'
USER: Final = 'user_id == bindparam("_user")'

STORES: Final = (
    Mutant(
        "tokens are those of a tenant", TOKENS_SQL,
        f"    tokens.c.{TENANT},\n    tokens.c.{USER},\n", f"    tokens.c.{TENANT},\n", TOKENS,
    ),
    Mutant(
        "tokens are those of a name", TOKENS_SQL,
        f"    tokens.c.{TENANT},\n    tokens.c.{USER},\n", f"    tokens.c.{USER},\n", TOKENS,
    ),
    Mutant(
        "a token lets in whoever has the name of its user", TOKENS_SQL,
        "tokens, users, (users.c.tenant == tokens.c.tenant) & (users.c.user_id == tokens.c.user_id)",
        "tokens, users, users.c.user_id == tokens.c.user_id", "GET /api/gateway/runs",
    ),
    Mutant(
        "any token is revoked by its id", TOKENS_SQL,
        '.where(tokens.c.id == bindparam("_id"), *_OF_USER, _LIVE)\n    .values(revoked_at',
        '.where(tokens.c.id == bindparam("_id"), _LIVE)\n    .values(revoked_at', TOKENS,
    ),
    Mutant(
        "a rotation ends everybody's tokens", TOKENS_SQL,
        "_REVOKE_ALL: Final = Sql(update(tokens).where(*_OF_USER, _LIVE)",
        "_REVOKE_ALL: Final = Sql(update(tokens).where(_LIVE)", f"PATCH /api/gateway{USERS}",
    ),
    Mutant(
        "a token that is not there is looked for again where it is another's", TOKENS_SQL,
        "            if not session.run(_REVOKE, _id=id, _tenant=tenant, _user=user, at=at):\n",
        "            if session.first(_FIND, _id=id) is not None:\n                session.first(_FIND, _id=id)\n"
        "            if not session.run(_REVOKE, _id=id, _tenant=tenant, _user=user, at=at):\n",
        f"DELETE /api/gateway{TOKENS}",
    ),
    Mutant(
        "a refusal says that the token is another's", TOKENS_SQL,
        "                raise TokenNotFound\n",
        "                raise TokenNotFound(\"It is another's.\") if session.first(_FIND, _id=id) else TokenNotFound\n",
        f"DELETE /api/gateway{TOKENS}",
    ),
    Mutant(
        "browser sessions are those of a tenant", SESSIONS_SQL,
        f"    sessions.c.{TENANT},\n    sessions.c.{USER},\n", f"    sessions.c.{TENANT},\n", "/session/",
    ),
    Mutant(
        "browser sessions are those of a name", SESSIONS_SQL,
        f"    sessions.c.{TENANT},\n    sessions.c.{USER},\n", f"    sessions.c.{USER},\n", "/session/",
    ),
    Mutant(
        "any browser session is ended by its handle", SESSIONS_SQL,
        '        sessions.c.handle == bindparam("_handle"),\n        *_OF_USER,\n',
        '        sessions.c.handle == bindparam("_handle"),\n', "/session/",
    ),
    Mutant(
        "whoever signs out everywhere signs out a tenant", USERS_SQL,
        f"        sessions.c.{USER},\n        sessions.c.revoked_at", "        sessions.c.revoked_at", "/session/",
    ),
    Mutant(
        "a user is found by name in any tenant", USERS_SQL,
        f"    users.c.{TENANT},\n    users.c.{USER},\n", f"    users.c.{USER},\n", f"GET /api/gateway{USERS}",
    ),
    Mutant(
        "users of all tenants are listed", PRINCIPALS_SQL,
        f'.where(users.c.{TENANT}, users.c.user_id > bindparam("after_user"))',
        '.where(users.c.user_id > bindparam("after_user"))', f"GET /api/gateway{USERS}",
    ),
    Mutant(
        "who is deleted takes a tenant's tokens along", PRINCIPALS_SQL,
        f"        tokens.c.{TENANT}, tokens.c.{USER}\n", f"        tokens.c.{TENANT}\n", f"DELETE /api/gateway{USERS}",
    ),
    Mutant(
        "retained runtimes of all tenants are listed", RUNTIMES_SQL,
        f"        runtimes.c.{TENANT},\n        _RETAINED | _PURGING,", "        _RETAINED | _PURGING,", RETAINED,
    ),
    Mutant(
        "a runtime is found by name in any tenant", RUNTIMES_SQL,
        f'    runtimes.c.{TENANT},\n    runtimes.c.runtime == bindparam("_runtime"),\n',
        '    runtimes.c.runtime == bindparam("_runtime"),\n', RETAINED,
    ),
    Mutant(
        "audits of all tenants are listed", AUDIT_SQL,
        "_NEWEST: Final = _SHOW.where(_TENANTS)", "_NEWEST: Final = _SHOW", "/audit",
    ),
    Mutant(
        "audits of all tenants are exported", AUDIT_SQL,
        '_SHOW.where(_TENANTS, audit.c.seq > bindparam("after"))', '_SHOW.where(audit.c.seq > bindparam("after"))',
        "/audit",
    ),
    Mutant(
        "what one tenant shares, all have", PROFILES_SQL,
        '_statements(control_tables.profiles, ["tenant"])', "_statements(control_tables.profiles)",
        "/provider-endpoint-profiles",
    ),
    Mutant(
        "all have what the first tenant shares", PROFILES_SQL,
        'SqlProfiles(self._ways, _OF_GATEWAY, {"tenant": tenant})',
        'SqlProfiles(self._ways, _OF_GATEWAY, {"tenant": "default"})', "/provider-endpoint-profiles",
    ),
    Mutant(
        "a runtime looks at another tenant's profiles", "runtimes/endpoints.py",
        "control.profiles.of(tenant)", 'control.profiles.of(TenantId("default"))', "/provider-endpoint-profiles",
    ),
)  # fmt: skip

PLANES: Final = (
    Mutant(
        "runtimes of one name share a folder", "runtimes/folders.py",
        'data / "planes" / _part(tenant) / _part(runtime)', 'data / "planes" / _part(runtime)', "GET /api/gateway/runs",
    ),
    Mutant(
        "runtimes of one tenant share a folder", "runtimes/folders.py",
        'data / "planes" / _part(tenant) / _part(runtime)', 'data / "planes" / _part(tenant)', "GET /api/gateway/runs",
    ),
    Mutant(
        "who asks gets the runtime that is open", "runtimes/router.py",
        "kept = self._kept.get((tenant, runtime))", "kept = next(iter(self._kept.values()), None)",
        "GET /api/gateway/runs",
    ),
    Mutant(
        "all ask in the first runtime", "runtimes/router.py",
        "return await self.runtime(principal.runtime_tenant, principal.runtime)",
        'return await self.runtime(TenantId("default"), RuntimeId("admin"))', "/bundles",
    ),
    Mutant(
        "a command goes to the first runtime", "api/deps.py",
        "    runtime = await enter_runtime(await principal_of(request), open_runtime)\n",
        "    principal = await principal_of(request)\n"
        "    if request.url.path.endswith('/commands'):\n"
        "        from dataclasses import replace\n"
        "        principal = replace(principal, runtime='admin', runtime_tenant='default')\n"
        "    runtime = await enter_runtime(principal, open_runtime)\n", "/commands",
    ),
)  # fmt: skip

MUTANTS: Final = (*RULES, *WHO, *STORES, *PLANES)
