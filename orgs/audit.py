"""The append-only trail: call record() inside the transaction of the act itself."""

from typing import Any

from django.http import HttpRequest

from orgs import walls
from orgs.client import client_address
from orgs.models import ApiKey, AuditEntry, Org, User


def record(
    action: str,
    *,
    org: Org | None = None,
    actor: User | None = None,
    target: object = "",
    request: HttpRequest | None = None,
    **detail: Any,
) -> AuditEntry:
    """Write down an act; `detail` holds what changed, as JSON values (`old=…, new=…`)."""
    key = getattr(request, "auth", None)
    with walls.inside(org.pk) if org else walls.across(walls.Across.NOBODY):
        return AuditEntry.objects.create(
            org=org,
            actor=actor,
            actor_name=actor.get_username() if actor else "",
            key_prefix=key.prefix if isinstance(key, ApiKey) else "",
            action=action,
            # a path may hold what the database cannot
            target=str(target).replace("\0", "\ufffd")[:128],
            detail=detail,
            address=client_address(request) if request else None,
            correlation_id=getattr(request, "correlation_id", "") if request else "",
        )


def denied(request: HttpRequest, action: str, *, actor: User | None, org: Org | None = None) -> None:
    """Write down that somebody, or the holder of a key, asked for what he may not do."""
    record("access.denied", org=org, actor=actor, target=request.path, request=request, wanted=action)
