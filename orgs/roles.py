"""Who may do what: one table of roles and actions, used by the API, the pages and the tests.

A platform admin (Django superuser) may do everything in every organisation.
"""

from enum import StrEnum


class Role(StrEnum):
    """What a member is in one organisation."""

    ORG_ADMIN = "org_admin"
    OPERATOR = "operator"
    VIEWER = "viewer"


class KeyRole(StrEnum):
    """What the holder of a key is: a program, with a member's role or a worker."""

    ORG_ADMIN = Role.ORG_ADMIN
    OPERATOR = Role.OPERATOR
    VIEWER = Role.VIEWER
    # It takes external jobs and says how they ended; nothing else.
    WORKER = "worker"


class Action(StrEnum):
    """Everything a permission is asked for in an organisation."""

    READ = "read"
    SUBMIT = "submit"
    CANCEL = "cancel"
    REPLAY = "replay"
    CLASSIFY = "classify"
    PAUSE = "pause"
    MANAGE_LIMITS = "manage_limits"
    MANAGE_MODEL = "manage_model"
    MANAGE_SCHEDULES = "manage_schedules"
    MANAGE_WEBHOOKS = "manage_webhooks"
    SEE_AUDIT = "see_audit"
    MANAGE_MEMBERS = "manage_members"
    MANAGE_ORG = "manage_org"
    MANAGE_KEYS = "manage_keys"
    MANAGE_SECRETS = "manage_secrets"
    # His own membership: to switch to the organisation, and to leave it.
    BELONG = "belong"
    # Keys that are worth no more than he is.
    OWN_KEYS = "own_keys"


class Gate(StrEnum):
    """What a route asks for that is no action in an organisation."""

    ANYBODY = "anybody"
    # Signed in, wherever he is a member, if anywhere.
    PERSON = "person"
    PLATFORM_ADMIN = "platform_admin"
    WORKER = "worker"
    # The deployment's own: a token of its settings, or loopback.
    OPERATIONS = "operations"


Need = Action | Gate

READS = frozenset({Action.READ, Action.BELONG, Action.OWN_KEYS})
RUNS = READS | {Action.SUBMIT, Action.CANCEL, Action.REPLAY, Action.CLASSIFY}

ALLOWED: dict[Role, frozenset[Action]] = {
    Role.VIEWER: READS,
    Role.OPERATOR: RUNS,
    Role.ORG_ADMIN: frozenset(Action),
}

# What no key may do, whatever its role: who has stolen one must not outlast its end, nor pass for its maker.
PERSONS_ONLY = frozenset({Action.BELONG, Action.OWN_KEYS, Action.MANAGE_KEYS, Action.MANAGE_MEMBERS})

# Older clients say "user" for operator.
ALIASES = {"user": Role.OPERATOR}


def parse(word: str) -> Role:
    """The role a word names; raises ValueError for an unknown one."""
    return ALIASES.get(word) or Role(word)


def can(role: str | None, action: Action, *, by_key: bool = False) -> bool:
    """Whether a member with this role may do it, or a key of it; None is a person outside the organisation."""
    return role is not None and action in ALLOWED[Role(role)] and not (by_key and action in PERSONS_ONLY)


def lesser(one: str, other: str) -> Role:
    """Of two roles the one that may less: for each two of them, what one may do, the other may too."""
    return min(Role(one), Role(other), key=lambda role: len(ALLOWED[role]))
