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
    """What the holder of a key is: a program, which is no member."""

    # It takes external jobs and says how they ended; nothing else.
    WORKER = "worker"


class Action(StrEnum):
    """Everything a permission is asked for."""

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


READS = frozenset({Action.READ})
RUNS = READS | {Action.SUBMIT, Action.CANCEL, Action.REPLAY, Action.CLASSIFY}

ALLOWED: dict[Role, frozenset[Action]] = {
    Role.VIEWER: READS,
    Role.OPERATOR: RUNS,
    Role.ORG_ADMIN: frozenset(Action),
}

# Older clients say "user" for operator.
ALIASES = {"user": Role.OPERATOR}


def parse(word: str) -> Role:
    """The role a word names; raises ValueError for an unknown one."""
    return ALIASES.get(word) or Role(word)


def can(role: str | None, action: Action) -> bool:
    """Whether a member with this role may do it; None is a person outside the organisation."""
    return role is not None and action in ALLOWED[Role(role)]
