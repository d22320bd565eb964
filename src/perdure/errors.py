"""Every error raised on purpose. Anything else that is raised is a bug.

GatewayError
├── Invalid                   the request cannot be meant as it stands
│   ├── NotJson               a value that JSON cannot carry
│   ├── UnknownMedia          a body of a kind that is not read here
│   ├── NoSuchRange           a part of a content that it does not have
│   ├── Unfit                 a body of the right shape that says what cannot be
│   ├── KeyReused             a request's own key that came before, with another body
│   ├── UserExists            a user of this id, or of one that looks like it
│   ├── RuntimeTaken          a runtime of this id is another's, or is kept for one
│   ├── BundleRefused         an archive that is no bundle, or not a safe one
│   └── FlowRefused           a flow that cannot be run as it is drawn
├── Unauthenticated
├── Forbidden
├── NotFound
│   ├── RunNotFound
│   ├── CommandNotFound
│   ├── BundleNotFound
│   ├── FlowNotFound
│   ├── ArtifactNotFound
│   ├── UserNotFound
│   ├── TokenNotFound
│   ├── SessionNotFound
│   ├── BookmarkNotFound
│   ├── RuntimeNotFound
│   └── FeatureAbsent
├── Conflict
│   ├── VersionConflict       somebody else changed the run first
│   ├── DuplicateCommand      the same id came before, with another body
│   ├── InFlight              the same request is being answered right now
│   ├── WaitMismatch          the run does not wait for this
│   ├── BundleExists
│   ├── RunExists             another run has the id of one that is to be taken in
│   ├── Divergent             a ledger that does not come out as it was written
│   ├── Deprecated
│   ├── DigestMismatch        the bytes of an installed bundle are not those of its hash
│   ├── LastAdmin             nobody would be left to let others in
│   └── LedgerBroken          a stored step is not what was written
├── LimitReached
│   ├── TooLarge
│   ├── QuotaReached          the runtime's artifacts have all the room that they may have
│   └── TooMany               more at once, or more in a while, than is allowed
└── Unavailable
    ├── Unreachable           no gateway answers a client
    ├── SchemaNewer           the store was written by a newer release
    └── StoreFailed           the disk or the database did not keep its word
"""

from typing import ClassVar


class GatewayError(Exception):
    """Something the program refuses or cannot do, and says so.

    `code` is stable and meant for machines; the text is for people. `facts` travel to the
    reader of the problem and so hold nothing that is another's.
    """

    code: ClassVar[str] = "error"

    def __init__(self, detail: str = "", **facts: object) -> None:
        """Keep the sentence for the reader and the facts beside it."""
        self.detail = detail or (self.__doc__ or "").strip().splitlines()[0]
        self.facts = facts
        super().__init__(self.detail)


class Invalid(GatewayError):
    """The request is not valid."""

    code = "invalid"


class NotJson(Invalid):
    """The value cannot be written as JSON."""

    code = "not_json"


class UnknownMedia(Invalid):
    """The body is of a kind that is not read here."""

    code = "unsupported_media_type"


class NoSuchRange(Invalid):
    """The content has no such part."""

    code = "range_not_satisfiable"


class Unfit(Invalid):
    """The body does not fit."""

    code = "unfit"


class KeyReused(Invalid):
    """The idempotency key was used before, with another body."""

    code = "idempotency_key_reused"


class UserExists(Invalid):
    """There is such a user already, or one whose id looks like it."""

    code = "user_exists"


class RuntimeTaken(Invalid):
    """The runtime belongs to another user, or is kept for one."""

    code = "runtime_taken"


class BundleRefused(Invalid):
    """The bundle is refused."""

    code = "bundle_refused"


class FlowRefused(Invalid):
    """The flow cannot be run."""

    code = "flow_refused"


class Unauthenticated(GatewayError):
    """A credential is needed."""

    code = "unauthenticated"


class Forbidden(GatewayError):
    """This is not allowed for you."""

    code = "forbidden"


class NotFound(GatewayError):
    """There is no such thing."""

    code = "not_found"


class RunNotFound(NotFound):
    """There is no such run."""

    code = "run_not_found"


class CommandNotFound(NotFound):
    """There is no such command."""

    code = "command_not_found"


class BundleNotFound(NotFound):
    """There is no such bundle."""

    code = "bundle_not_found"


class FlowNotFound(NotFound):
    """There is no such flow."""

    code = "flow_not_found"


class ArtifactNotFound(NotFound):
    """There is no such artifact."""

    code = "artifact_not_found"


class UserNotFound(NotFound):
    """There is no such user."""

    code = "user_not_found"


class TokenNotFound(NotFound):
    """There is no such token."""

    code = "token_not_found"


class BookmarkNotFound(NotFound):
    """There is no such bookmark."""

    code = "bookmark_not_found"


class SessionNotFound(NotFound):
    """There is no such browser session."""

    code = "session_not_found"


class RuntimeNotFound(NotFound):
    """There is no such retained runtime."""

    code = "runtime_not_found"


class FeatureAbsent(NotFound):
    """This installation does not have the feature."""

    code = "feature_absent"


class Conflict(GatewayError):
    """The state of things does not allow it."""

    code = "conflict"


class VersionConflict(Conflict):
    """The run was changed by somebody else at the same time."""

    code = "version_conflict"


class DuplicateCommand(Conflict):
    """The id was used before, with another body."""

    code = "duplicate_command"


class InFlight(Conflict):
    """The same request is being answered right now."""

    code = "in_flight"


class WaitMismatch(Conflict):
    """The run does not wait for this."""

    code = "wait_mismatch"


class RunExists(Conflict):
    """There is a run with this id already, with another ledger."""

    code = "run_exists"


class BundleExists(Conflict):
    """This version of the bundle is installed already, with other contents."""

    code = "bundle_exists"


class Divergent(Conflict):
    """Decided again, the ledger does not come out as it was written."""

    code = "divergent"


class Deprecated(Conflict):
    """The flow is deprecated and takes no new runs."""

    code = "deprecated"


class DigestMismatch(Conflict):
    """The bytes of the bundle are not those that were installed."""

    code = "digest_mismatch"


class LastAdmin(Conflict):
    """This is the last admin of the tenant."""

    code = "last_admin"


class LedgerBroken(Conflict):
    """The ledger is not as it was written."""

    code = "ledger_broken"


class LimitReached(GatewayError):
    """A limit was reached."""

    code = "limit_reached"


class TooLarge(LimitReached):
    """This is larger than the limit."""

    code = "too_large"


class QuotaReached(LimitReached):
    """The artifacts of this runtime have all the room that they may have."""

    code = "quota_reached"


class TooMany(LimitReached):
    """There are too many requests."""

    code = "too_many_requests"


class Unavailable(GatewayError):
    """This cannot be done right now."""

    code = "unavailable"


class Unreachable(Unavailable):
    """No gateway answers."""

    code = "unreachable"


class SchemaNewer(Unavailable):
    """The store was written by a newer release."""

    code = "schema_newer"


class StoreFailed(Unavailable):
    """The store failed."""

    code = "store_failed"
