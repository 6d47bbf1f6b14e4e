"""What platform admins set for an organisation: how much it gets."""

from typing import Any

from django.db import transaction
from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from orgs import audit
from orgs.models import Org, User


def change_org(slug: str, asked: dict[str, Any], *, actor: User, request: HttpRequest | None = None) -> Org:
    """Its weight and quotas; what is left out stays. Raises Http404."""
    with transaction.atomic():
        org = get_object_or_404(Org.objects.select_for_update(), slug=slug)
        weight = {name: value for name, value in asked.items() if name == "weight"}
        quotas = {name: value for name, value in asked.items() if name != "weight"}
        for action, fields in (("org.weight", weight), ("org.quotas", quotas)):
            if fields:
                audit.record(action, org=org, actor=actor, target=slug, request=request, **changed(org, fields))
    return org


def changed(org: Org, asked: dict[str, Any]) -> dict[str, Any]:
    """Set and save fields; what they were and are."""
    old = {name: getattr(org, name) for name in asked}
    for name, value in asked.items():
        setattr(org, name, value)
    org.save(update_fields=list(asked))
    return {"old": old, "new": asked}
