"""Who may do what: one table of roles and actions, and one of what is left while an organisation is not active, used by
the API, the pages and the tests.

A platform admin (Django superuser) may do everything in every organisation, whatever its state.
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
    # Another urgency, another queue, another time: of jobs that wait.
    CHANGE = "change"
    # A job that has ended, with all that hangs on it.
    DELETE = "delete"
    REPLAY = "replay"
    CLASSIFY = "classify"
    PAUSE = "pause"
    MANAGE_LIMITS = "manage_limits"
    # To tell the organisation's own workers to take no more, to go on and to end.
    COMMAND_WORKERS = "command_workers"
    MANAGE_MODEL = "manage_model"
    MANAGE_SCHEDULES = "manage_schedules"
    MANAGE_WEBHOOKS = "manage_webhooks"
    SEE_AUDIT = "see_audit"
    MANAGE_MEMBERS = "manage_members"
    MANAGE_ORG = "manage_org"
    MANAGE_KEYS = "manage_keys"
    MANAGE_SECRETS = "manage_secrets"
    # To ask for its end, and to take that back.
    CLOSE_ORG = "close_org"
    # All that it has, as one file.
    EXPORT_ORG = "export_org"
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
    # An org_admin whom a platform admin has made staff, in his organisation.
    ORG_STAFF = "org_staff"
    WORKER = "worker"
    # The same key, where it asks for something to begin.
    WORKER_CLAIM = "worker_claim"
    # The deployment's own: a token of its settings, or loopback.
    OPERATIONS = "operations"


Need = Action | Gate

READS = frozenset({Action.READ, Action.BELONG, Action.OWN_KEYS})
RUNS = READS | {Action.SUBMIT, Action.CANCEL, Action.CHANGE, Action.REPLAY, Action.CLASSIFY}

ALLOWED: dict[Role, frozenset[Action]] = {
    Role.VIEWER: READS,
    Role.OPERATOR: RUNS,
    Role.ORG_ADMIN: frozenset(Action),
}

# What no key may do, whatever its role: who has stolen one must not outlast its end, nor pass for its maker.
PERSONS_ONLY = frozenset({Action.BELONG, Action.OWN_KEYS, Action.MANAGE_KEYS, Action.MANAGE_MEMBERS, Action.CLOSE_ORG})


class OrgState(StrEnum):
    """Where an organisation is in its life. One that is both suspended and closing is suspended."""

    ACTIVE = "active"
    # By a platform admin, until he lets it go on.
    SUSPENDED = "suspended"
    # Its end was asked for, and may be taken back until its day.
    CLOSING = "closing"


# What is still open to those whose role allows it. Whoever works for it may say how it ended, but begins nothing.
LEFT: dict[OrgState, frozenset[Need]] = {
    OrgState.ACTIVE: frozenset({*Action, *Gate}),
    OrgState.SUSPENDED: frozenset({Action.BELONG, Action.EXPORT_ORG, Gate.WORKER}),
    OrgState.CLOSING: frozenset(
        {Action.READ, Action.SEE_AUDIT, Action.BELONG, Action.EXPORT_ORG, Action.CLOSE_ORG, Gate.WORKER}
    ),
}

# Older clients say "user" for operator.
ALIASES = {"user": Role.OPERATOR}


def parse(word: str) -> Role:
    """The role a word names; raises ValueError for an unknown one."""
    return ALIASES.get(word) or Role(word)


def can(role: str | None, action: Action, *, by_key: bool = False) -> bool:
    """Whether a member with this role may do it, or a key of it; None is a person outside the organisation."""
    return role is not None and action in ALLOWED[Role(role)] and not (by_key and action in PERSONS_ONLY)


def least(action: Action) -> Role:
    """The role that may do it and the least beside; each action is some role's."""
    return min((role for role in Role if action in ALLOWED[role]), key=lambda role: len(ALLOWED[role]))


def lesser(one: str, other: str) -> Role:
    """Of two roles the one that may less: for each two of them, what one may do, the other may too."""
    return min(Role(one), Role(other), key=lambda role: len(ALLOWED[role]))
