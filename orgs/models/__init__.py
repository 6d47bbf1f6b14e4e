"""Organisations, people, what they hold, and the trail of what they did."""

from orgs.models.limit_hit import LimitHit
from orgs.models.removed import NameKey, RemovedName
from orgs.models.tenants import (
    MAX_WEIGHT,
    ROLE_CHOICES,
    SLUG_PATTERN,
    USERNAME_PATTERN,
    ApiKey,
    Invitation,
    Membership,
    Org,
    RateBucket,
    Secret,
    SignIn,
    User,
    UserManager,
)
from orgs.models.trail import AuditEntry, AuditErased, AuditHead, AuditSeal

__all__ = [
    "MAX_WEIGHT",
    "ROLE_CHOICES",
    "SLUG_PATTERN",
    "USERNAME_PATTERN",
    "ApiKey",
    "AuditEntry",
    "AuditErased",
    "AuditHead",
    "AuditSeal",
    "Invitation",
    "LimitHit",
    "Membership",
    "NameKey",
    "Org",
    "RateBucket",
    "RemovedName",
    "Secret",
    "SignIn",
    "User",
    "UserManager",
]
