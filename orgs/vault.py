"""Organisations' secrets: kept sealed, changed by its admins, read by the attempts that use them and by nobody else."""

import re
from collections.abc import Collection, Mapping
from datetime import timedelta

from django.core.exceptions import ValidationError
from django.db.models import BooleanField, Case, Q, Value, When
from django.db.models.functions import Now
from django.http import Http404, HttpRequest
from django.utils.translation import gettext as _

from orgs import audit
from orgs.crypto import Unsealable, seal, unseal
from orgs.errors import Conflict
from orgs.membership import locked
from orgs.models import Org, Secret
from orgs.roles import Action
from orgs.scope import Scope

VALUE_MAX_BYTES = 8_000
# A shorter one could not be hidden: it would be found in every other line.
VALUE_MIN_CHARACTERS = 4
MOST_SECRETS = 1_000
# How exactly it is known when one was used last; each use would be a write else.
USED_WITHIN = timedelta(minutes=5)


class NotReadable(Exception):
    """A secret that an attempt needs is not to be had; the message names it."""


def check_value(value: str) -> None:
    """Raises ValidationError, which does not repeat the value."""
    if len("".join(value.split())) < VALUE_MIN_CHARACTERS:
        raise ValidationError(
            _("At least %(least)s characters that can be seen.") % {"least": VALUE_MIN_CHARACTERS}, "too_short"
        )
    if len(value.encode()) > VALUE_MAX_BYTES:
        raise ValidationError(_("At most %(most)s bytes.") % {"most": VALUE_MAX_BYTES}, "too_long")


def check_name(name: str) -> None:
    if not re.match(Secret.NAME_PATTERN, name):
        raise ValidationError(_("A letter, then at most 63 letters, digits or underscores."), "name")


def put(name: str, value: str, *, scope: Scope, request: HttpRequest | None = None) -> tuple[Secret, bool]:
    """Keep a value under a new name, or in the place of the one there was; whether the name is new.

    Jobs that are submitted already get the new one with their next attempt.
    """
    check_name(name)
    check_value(value)
    with locked(scope, Action.MANAGE_SECRETS) as org:
        secret = Secret.objects.filter(org=org, name=name).first()
        created = secret is None
        if secret is None:
            if Secret.objects.filter(org=org).count() >= MOST_SECRETS:
                raise Conflict(f"An organisation has at most {MOST_SECRETS} secrets.", "too_many_secrets")
            secret = Secret(org=org, name=name, created_by=scope.user, version=0)
        secret.sealed = seal(value.encode(), about=secret.about)
        secret.version += 1
        secret.updated_by = scope.user
        secret.updated_at = Now()
        secret.save()
        verb = "create" if created else "change"
        told = {"version": secret.version}
        audit.record(f"secret.{verb}", org=org, actor=scope.user, target=name, request=request, **told)
    secret.refresh_from_db()
    return secret, created


def remove(name: str, *, scope: Scope, request: HttpRequest | None = None) -> None:
    """Attempts that need it fail for good from now on. Raises Http404."""
    # what is no name may be nothing a query takes
    if not re.match(Secret.NAME_PATTERN, name):
        raise Http404
    with locked(scope, Action.MANAGE_SECRETS) as org:
        deleted, _ = Secret.objects.filter(org=org, name=name).delete()
        if not deleted:
            raise Http404
        audit.record("secret.remove", org=org, actor=scope.user, target=name, request=request)


def names_of(org: Org) -> frozenset[str]:
    return frozenset(Secret.objects.filter(org=org).values_list("name", flat=True))


def values_of(org_id: int, names: Collection[str]) -> Mapping[str, str]:
    """What an attempt needs, by name. Raises NotReadable."""
    old = Q(last_used_at=None) | Q(last_used_at__lt=Now() - USED_WITHIN)
    stale = Case(When(old, then=Value(True)), default=Value(False), output_field=BooleanField())
    found = list(Secret.objects.filter(org_id=org_id, name__in=names).annotate(stale=stale))
    if missing := sorted(set(names) - {secret.name for secret in found}):
        raise NotReadable(f"The organisation has no secret {missing[0]!r} any more.")
    values = {secret.name: opened(secret) for secret in found}
    if any(secret.stale for secret in found):
        Secret.objects.filter(old, pk__in=[secret.pk for secret in found]).update(last_used_at=Now())
    return values


def opened(secret: Secret) -> str:
    try:
        return unseal(secret.sealed, about=secret.about).decode()
    except Unsealable:
        raise NotReadable(f"The secret {secret.name!r} cannot be read with this deployment's keys.") from None
