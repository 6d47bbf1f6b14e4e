"""What the one table of roles and actions says that a caller gets, of any route and method."""

from dataclasses import dataclass, replace

from orgs.declared import Route
from orgs.roles import LEFT, Action, Gate, Need, OrgState, Role, can

# It is let in: whatever the answer is about, it is no refusal, and no failure of ours.
OPEN = "open"
# The same in an organisation of his own: nothing of acme's changes.
ELSEWHERE = "elsewhere"
NOT_SIGNED_IN, FORBIDDEN, NOT_FOUND, NOT_ALLOWED = 401, 403, 404, 405
TO_SIGN_IN, TO_ORGANISATIONS, TO_ADMIN = "/sign-in/", "/organisations/", "/admin/login/"
TO_ORG_ADMIN = "/admin/organisation/login/"

Expected = str | int
OF_WORKERS = {Gate.WORKER, Gate.WORKER_CLAIM}
# Their names are chosen by whoever makes them: a stranger makes one of his own.
NAMED_BY_THEIR_MAKER = {("PUT", "api-limit"), ("PUT", "api-secret")}


@dataclass(frozen=True)
class Caller:
    """`role` in acme, or in an organisation of his own; None of a member of none. `key` says that a key is sent."""

    name: str
    role: Role | None = None
    key: bool = False
    stranger: bool = False
    # An account that is closed, or nobody's.
    unknown: bool = False
    worker: bool = False
    platform_admin: bool = False
    # Of acme, when he asks.
    state: OrgState = OrgState.ACTIVE

    @property
    def client(self) -> str:
        """Who he is in conftest.clients()."""
        return self.name.removesuffix(f", {self.state}")

    def __str__(self) -> str:
        return self.name


CALLERS = [
    Caller("nobody", unknown=True),
    Caller("viewer", Role.VIEWER),
    Caller("operator", Role.OPERATOR),
    Caller("org_admin", Role.ORG_ADMIN),
    Caller("stranger", Role.ORG_ADMIN, stranger=True),
    Caller("loner"),
    Caller("removed"),
    Caller("suspended", unknown=True),
    Caller("platform_admin", Role.ORG_ADMIN, platform_admin=True),
    Caller("viewer's key", Role.VIEWER, key=True),
    Caller("operator's key", Role.OPERATOR, key=True),
    Caller("org_admin's key", Role.ORG_ADMIN, key=True),
    Caller("platform admin's key", Role.ORG_ADMIN, key=True),
    Caller("stranger's key", Role.ORG_ADMIN, key=True, stranger=True),
    Caller("suspended's key", key=True, unknown=True),
    Caller("removed's key", key=True, unknown=True),
    Caller("worker's key", key=True, worker=True),
]
CALLERS += [
    replace(caller, name=f"{caller.name}, {state}", state=state)
    for state, names in {
        OrgState.SUSPENDED: ["viewer", "org_admin", "platform_admin", "org_admin's key", "worker's key"],
        OrgState.CLOSING: ["org_admin", "platform admin's key", "worker's key"],
    }.items()
    for caller in CALLERS
    if caller.name in names
]


def expected(route: Route, method: str, caller: Caller) -> Expected:
    if route.path.startswith("/admin/organisation/"):
        # nobody else here has the staff flag
        return OPEN if caller.platform_admin or route.path == TO_ORG_ADMIN else TO_ORG_ADMIN
    if route.path.startswith("/admin/"):
        return OPEN if caller.platform_admin or route.path == "/admin/login/" else TO_ADMIN
    if Gate.OPERATIONS in route.needs.values():
        return NOT_FOUND if method in route.needs else NOT_ALLOWED
    return of_api(route, method, caller) if route.is_api else of_page(route, method, caller)


def of_api(route: Route, method: str, caller: Caller) -> Expected:
    need = route.needs.get(method)
    # who may do nothing at all with a route is not told which methods it has
    of_all = {Gate.ANYBODY, Gate.PERSON, Gate.PLATFORM_ADMIN, *OF_WORKERS} & set(route.needs.values())
    gate = next(iter(of_all), need)
    if gate == Gate.ANYBODY:
        return OPEN if need else NOT_ALLOWED
    if caller.unknown:
        return NOT_SIGNED_IN
    if not passes(gate, caller):
        return FORBIDDEN
    if need is None:
        return NOT_ALLOWED
    return inside(route, method, need, caller) if isinstance(need, Action) else OPEN


def passes(gate: Need | None, caller: Caller) -> bool:
    if gate in OF_WORKERS or caller.worker:
        return gate in OF_WORKERS and caller.worker and gate in LEFT[caller.state]
    if gate == Gate.PERSON:
        return not caller.key
    return gate != Gate.PLATFORM_ADMIN or caller.platform_admin


def inside(route: Route, method: str, action: Action, caller: Caller) -> Expected:
    """Of an act in an organisation."""
    outside = caller.stranger or caller.role is None
    if "slug" in route.pattern.pattern.converters and outside:
        return NOT_FOUND
    if caller.role is None or not can(caller.role, action, by_key=caller.key):
        return FORBIDDEN
    if action not in LEFT[caller.state] and not caller.platform_admin:
        return FORBIDDEN
    if not outside:
        return OPEN
    named = route.pattern.pattern.converters and (method, route.pattern.name) not in NAMED_BY_THEIR_MAKER
    return NOT_FOUND if named else ELSEWHERE


def of_page(route: Route, method: str, caller: Caller) -> Expected:
    need = route.needs.get(method)
    if need is None:
        return NOT_ALLOWED
    if need == Gate.ANYBODY:
        return OPEN
    # a key signs nobody in to the pages
    if caller.unknown or caller.key:
        return TO_SIGN_IN
    if need == Gate.PLATFORM_ADMIN:
        return OPEN if caller.platform_admin else FORBIDDEN
    if not isinstance(need, Action):
        return OPEN
    return TO_ORGANISATIONS if caller.role is None else inside(route, method, need, caller)
