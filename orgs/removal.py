"""A person's account is closed for a time, or for good: then nothing tells who he was, and what he did stays.

Locks are taken in this order, which others must not turn round: organisations by their id, people by their id,
invitations.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib.admin.models import LogEntry
from django.contrib.auth.hashers import make_password
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Lower, Now
from django.http import HttpRequest

from orgs import audit
from orgs.errors import AlreadyRemoved, Conflict, LastOfOrganisations, LastPlatformAdmin
from orgs.membership import ended, revoke
from orgs.models import ApiKey, AuditEntry, Invitation, Membership, Org, User
from orgs.removed_names import keep
from orgs.roles import Role
from orgs.tokens import end_all_tokens

# How often his organisations are read anew, when he is made a member of another meanwhile.
TRIES = 5


def remove(user: User, *, actor: User, request: HttpRequest | None = None, reason: str = "") -> None:
    """For good. Raises AlreadyRemoved, LastPlatformAdmin, LastOfOrganisations; then nothing has changed.

    `actor` is the person himself or a platform admin.
    """
    with held(user) as (person, memberships):
        if person.removed_at is not None:
            raise AlreadyRemoved
        keep_a_platform_admin(person)
        keep_org_admins(memberships)
        names, addresses = called(person)
        withdraw(person, addresses)
        keep(names | addresses, person)
        anonymise(person)
        by = person if actor.pk == person.pk else actor
        for membership in memberships:
            membership.user = person
            ended(membership, "member.leave" if by is person else "member.remove", actor=by, request=request)
        revoke(ApiKey.objects.filter(created_by=person), "its maker's account was removed", actor=by, request=request)
        end_all_tokens(person)
        audit.record("user.remove", actor=by, target=person.get_username(), request=request, reason=reason)
    user.refresh_from_db()


def suspend(user: User, *, actor: User, request: HttpRequest | None = None, reason: str = "") -> None:
    """Nothing of his opens anything until resume(). Raises AlreadyRemoved, LastPlatformAdmin, Conflict."""
    with held(user) as (person, _):
        keep_a_platform_admin(person)
        set_active(person, False, "user.suspend", actor=actor, request=request, reason=reason)
    user.refresh_from_db()


def resume(user: User, *, actor: User, request: HttpRequest | None = None, reason: str = "") -> None:
    """All is as it was. Raises AlreadyRemoved, Conflict."""
    with held(user) as (person, _):
        set_active(person, True, "user.resume", actor=actor, request=request, reason=reason)
    user.refresh_from_db()


def set_active(
    person: User, active: bool, action: str, *, actor: User, request: HttpRequest | None, reason: str
) -> None:
    if person.removed_at is not None:
        raise AlreadyRemoved
    if person.is_active == active:
        raise Conflict(f"This account is {'not suspended' if active else 'suspended already'}.", "no_change")
    User.objects.filter(pk=person.pk).update(is_active=active)
    audit.record(action, actor=actor, target=person.get_username(), request=request, reason=reason)


# --- What is held meanwhile, and who has to remain ------------------------------------------------------------------


@contextmanager
def held(user: User) -> Iterator[tuple[User, list[Membership]]]:
    """A transaction in which neither the person nor the members of his organisations are changed by others."""
    for _ in range(TRIES):
        with transaction.atomic():
            orgs = (
                Org.objects.select_for_update(of=("self",), no_key=True).filter(memberships__user=user).order_by("pk")
            )
            known = {org.pk for org in orgs}
            person = held_person(user)
            memberships = list(Membership.objects.filter(user=person).select_related("org").order_by("org_id"))
            if known == {membership.org_id for membership in memberships}:
                yield person, memberships
                return
    raise Conflict("He was made a member of organisations meanwhile. Try again.")


def held_person(user: User) -> User:
    """With all platform admins, where he is one: of the last two only one can go."""
    together = Q(pk=user.pk)
    if User.objects.filter(pk=user.pk, is_superuser=True).exists():
        together |= Q(is_superuser=True, is_active=True)
    rows = User.objects.select_for_update(no_key=True).filter(together).order_by("pk")
    return next(row for row in rows if row.pk == user.pk)


def keep_a_platform_admin(person: User) -> None:
    others = User.objects.filter(is_superuser=True, is_active=True).exclude(pk=person.pk)
    if person.is_superuser and person.is_active and not others.exists():
        raise LastPlatformAdmin


def keep_org_admins(memberships: list[Membership]) -> None:
    """Somebody has to remain who can manage an organisation, unless it is closed and waits for its end."""
    found = []
    for membership in memberships:
        others = Membership.objects.filter(org=membership.org_id).exclude(pk=membership.pk)
        is_needed = membership.role == Role.ORG_ADMIN and membership.org.erase_at is None
        if is_needed and not others.filter(role=Role.ORG_ADMIN, user__is_active=True).exists():
            org, first = membership.org, "appoint" if others.exists() else "close"
            found.append({"slug": org.slug, "name": org.name, "first": first})
    if found:
        raise LastOfOrganisations(found)


# --- What tells who he was ------------------------------------------------------------------------------------------


def called(person: User) -> tuple[set[str], set[str]]:
    """All names and addresses that he had: the present ones, and those that the trail knows."""
    names, addresses = {person.get_username()}, {person.email}
    waiting = [person.get_username()]
    while waiting:
        name = waiting.pop()
        for changes in changes_of(person, name):
            old = changes.get("old")
            addresses |= {value for value in (old, changes.get("new")) if isinstance(value, str)}
            if isinstance(old, dict):
                addresses.add(str(old.get("email", "")))
                former = str(old.get("username", ""))
                if former and former not in names and not User.objects.named(former).exists():
                    names.add(former)
                    waiting.append(former)
    addresses |= set(Invitation.objects.filter(user=person).values_list("email", flat=True))
    return names, {address for address in addresses if "@" in address}


def changes_of(person: User, name: str) -> list[dict[str, object]]:
    """What the trail says of changes of his account under a name: his own, and by platform admins."""
    own = AuditEntry.objects.filter(org=None, actor_name=name, actor=person, action="auth.email")
    others = AuditEntry.objects.filter(org=None, target=f"user {name}", action="admin.change")
    return [entry.detail for entry in (*own, *others)]


def withdraw(person: User, addresses: set[str]) -> None:
    """Invitations to him, and his addresses in those that were answered. Call it before `person` is anonymised."""
    lowered = [address.lower() for address in addresses]
    to_him = Invitation.objects.alias(lowered=Lower("email")).filter(Q(user=person) | Q(lowered__in=lowered))
    to_him.filter(state=Invitation.PENDING).update(state=Invitation.WITHDRAWN, answered_at=Now())
    to_him.update(email="", token_sha256="")


def anonymise(person: User) -> None:
    """In the database, and in `person`."""
    gone = {
        "username": free_name(person),
        **dict.fromkeys(("email", "first_name", "last_name"), ""),
        "password": make_password(None),
        **dict.fromkeys(("is_active", "is_staff", "is_superuser"), False),
        **dict.fromkeys(("active_org", "last_login"), None),
    }
    User.objects.filter(pk=person.pk).update(removed_at=Now(), **gone)
    of_him = LogEntry.objects.filter(content_type=ContentType.objects.get_for_model(User), object_id=str(person.pk))
    of_him.update(object_repr=gone["username"])
    person.refresh_from_db()


def free_name(person: User) -> str:
    """Nobody can register such a name, but somebody may have one from before."""
    names = (f"removed-{person.pk}", *(f"removed-{person.pk}-{number}" for number in range(2, 100)))
    return next(name for name in names if not User.objects.named(name).exists())
