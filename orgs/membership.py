"""What people do to organisations and their members. Each verb is one short transaction that also writes the audit.

Verbs that take a Scope ask for the right again under the lock: it may have been taken away since the request began.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from hashlib import sha256
from secrets import compare_digest, token_urlsafe
from urllib.parse import urlencode

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone

from orgs import audit, walls
from orgs.errors import (
    AccountClosed,
    AlreadyInvited,
    AlreadyMember,
    Conflict,
    InvitationClosed,
    InvitationExpired,
    LastOrgAdmin,
)
from orgs.models import ApiKey, Invitation, Membership, Org, User
from orgs.names import slugs
from orgs.roles import Action, Role
from orgs.scope import Scope, anew, find_scope


@walls.across(walls.Across.PERSONAL)
def create_org(name: str, *, user: User, request: HttpRequest | None = None) -> Org:
    """A new organisation with its creator as org_admin; it becomes the one he acts in."""
    with open_account(user):
        org = insert_org(name)
        Membership.objects.create(org=org, user=user, role=Role.ORG_ADMIN)
        activate(user, org)
        audit.record("org.create", org=org, actor=user, target=org.slug, request=request, name=name)
    return org


def rename_org(name: str, *, scope: Scope, request: HttpRequest | None = None) -> Org:
    with locked(scope, Action.MANAGE_ORG) as org:
        old, org.name = org.name, name
        org.save(update_fields=["name"])
        audit.record("org.rename", org=org, actor=scope.user, target=org.slug, request=request, old=old, new=name)
    return org


@walls.across(walls.Across.PERSONAL)
def switch(slug: str, *, user: User, request: HttpRequest | None = None) -> Org:
    """Make an organisation of his the one the person acts in. Raises Http404 when it is not his."""
    org = find_scope(user, slug).org
    with transaction.atomic():
        old = user.active_org.slug if user.active_org else None
        activate(user, org)
        audit.record("org.switch", org=org, actor=user, target=org.slug, request=request, old=old, new=org.slug)
    return org


def invite(
    *, scope: Scope, role: Role, person: User | None = None, email: str = "", request: HttpRequest | None = None
) -> tuple[Invitation, str]:
    """Offer membership to a known person, or to whoever holds the token returned here and kept only as a hash."""
    with locked(scope, Action.MANAGE_MEMBERS) as org:
        if person and Membership.objects.filter(org=org, user=person).exists():
            raise AlreadyMember
        close_expired(org)
        if pending(org).filter(**({"user": person} if person else {"email__iexact": email})).exists():
            raise AlreadyInvited
        token = "" if person else token_urlsafe(32)
        invitation = Invitation.objects.create(
            org=org,
            user=person,
            email="" if person else email,
            token_sha256=hashed(token) if token else "",
            role=role,
            invited_by=scope.user,
            expires_at=timezone.now() + timedelta(days=settings.INVITATION_DAYS),
        )
        whom = person.get_username() if person else email
        audit.record("invitation.create", org=org, actor=scope.user, target=whom, request=request, role=role)
    return invitation, token


def withdraw(invitation_id: int, *, scope: Scope, request: HttpRequest | None = None) -> None:
    with locked(scope, Action.MANAGE_MEMBERS) as org:
        invitation = get_object_or_404(org.invitations.select_for_update(of=("self",)), pk=invitation_id)
        close(invitation, Invitation.WITHDRAWN, actor=scope.user, request=request)


def accept(invitation_id: int, *, user: User, token: str = "", request: HttpRequest | None = None) -> Membership:
    """Become a member. The lock on the invitation lets it be taken only once."""
    with open_account(user):
        invitation = offered(invitation_id, user, token)
        if invitation.state == Invitation.PENDING and invitation.expires_at <= timezone.now():
            raise InvitationExpired
        answer(invitation, Invitation.ACCEPTED, user=user, request=request)
        try:
            with transaction.atomic():
                membership = Membership.objects.create(org=invitation.org, user=user, role=invitation.role)
        except IntegrityError as error:
            raise AlreadyMember("You are a member already.") from error
        if user.active_org_id is None:
            activate(user, invitation.org)
    return membership


def decline(invitation_id: int, *, user: User, token: str = "", request: HttpRequest | None = None) -> None:
    with open_account(user):
        answer(offered(invitation_id, user, token), Invitation.DECLINED, user=user, request=request)


def change_role(username: str, role: Role, *, scope: Scope, request: HttpRequest | None = None) -> Membership:
    """Raises LastOrgAdmin when nobody would be left to manage the organisation."""
    with locked(scope, Action.MANAGE_MEMBERS) as org:
        membership = member(org, username)
        old = membership.role
        if role != Role.ORG_ADMIN:
            keep_an_admin(membership)
            withdraw_sent_by(membership)
        membership.role = role
        membership.save(update_fields=["role"])
        target = membership.user.get_username()
        audit.record("member.role", org=org, actor=scope.user, target=target, request=request, old=old, new=role)
    return membership


def remove(username: str, *, scope: Scope, request: HttpRequest | None = None) -> None:
    with locked(scope, Action.MANAGE_MEMBERS) as org:
        end(member(org, username), "member.remove", actor=scope.user, request=request)


def leave(*, scope: Scope, request: HttpRequest | None = None) -> None:
    with locked(scope, Action.BELONG) as org:
        end(member(org, scope.user.get_username()), "member.leave", actor=scope.user, request=request)


@walls.across(walls.Across.PERSONAL)
def open_invitation(invitation_id: int, token: str) -> Invitation:
    """The invitation a link leads to. Raises Http404 unless the token is its own."""
    invitation = Invitation.objects.select_related("org", "invited_by").filter(pk=invitation_id).first()
    if invitation is None or not opens(invitation, token):
        raise Http404
    return invitation


def pending(org: Org) -> QuerySet[Invitation]:
    return org.invitations.filter(state=Invitation.PENDING, expires_at__gt=timezone.now())


def offers_to(user: User) -> QuerySet[Invitation]:
    """The open invitations addressed to a person."""
    offers = Invitation.objects.filter(user=user.pk, state=Invitation.PENDING, expires_at__gt=timezone.now())
    return offers.select_related("org", "user", "invited_by")


def link_path(invitation: Invitation, token: str) -> str:
    """Where whoever was invited by e-mail answers."""
    return f"{reverse('invitation', args=[invitation.pk])}?{urlencode({'token': token})}"


@contextmanager
def locked(scope: Scope, action: Action) -> Iterator[Org]:
    """A transaction in which nobody else changes this organisation's members.

    The lock is NO KEY: jobs, which refer to the organisation, can still be submitted meanwhile.
    """
    with transaction.atomic():
        org = get_object_or_404(Org.objects.select_for_update(no_key=True), pk=scope.org.pk)
        anew(scope).require(action)
        yield org


@contextmanager
def open_account(user: User) -> Iterator[None]:
    """A transaction in which a person's account is not closed or removed. Raises AccountClosed when it was."""
    with transaction.atomic():
        if not User.objects.select_for_update(no_key=True).filter(pk=user.pk, is_active=True).exists():
            raise AccountClosed
        yield


def insert_org(name: str) -> Org:
    for slug in slugs(name):
        try:
            with transaction.atomic():
                return Org.objects.create(slug=slug, name=name)
        except IntegrityError:
            continue
    raise Conflict("No address is free for this name. Choose another.", "no_free_slug")


def activate(user: User, org: Org) -> None:
    User.objects.filter(pk=user.pk).update(active_org=org)
    user.active_org = org


def member(org: Org, username: str) -> Membership:
    return get_object_or_404(org.memberships.select_related("user", "org"), user__username__iexact=username)


def keep_an_admin(membership: Membership) -> None:
    """Refuse to lose the last org_admin who can still sign in. Call it under the lock of the organisation."""
    others = Membership.objects.filter(org=membership.org, role=Role.ORG_ADMIN, user__is_active=True)
    if membership.role == Role.ORG_ADMIN and not others.exclude(pk=membership.pk).exists():
        raise LastOrgAdmin


def withdraw_sent_by(membership: Membership) -> None:
    """A former org_admin must not come back through an invitation he sent while he was one."""
    Invitation.objects.filter(org=membership.org, invited_by=membership.user, state=Invitation.PENDING).update(
        state=Invitation.WITHDRAWN, answered_at=timezone.now()
    )


def end(membership: Membership, action: str, *, actor: User, request: HttpRequest | None) -> None:
    keep_an_admin(membership)
    ended(membership, action, actor=actor, request=request)


def ended(membership: Membership, action: str, *, actor: User, request: HttpRequest | None) -> None:
    """end() by whom it was made sure that an org_admin remains."""
    withdraw_sent_by(membership)
    User.objects.filter(pk=membership.user_id, active_org=membership.org).update(active_org=None)
    membership.delete()
    target = membership.user.get_username()
    audit.record(action, org=membership.org, actor=actor, target=target, request=request, old=membership.role)
    keys = ApiKey.objects.filter(org=membership.org, created_by=membership.user)
    revoke(keys, "its maker is no member any more", actor=actor, request=request)


def revoke(keys: QuerySet[ApiKey], reason: str, *, actor: User, request: HttpRequest | None) -> None:
    """For good: should he be a member again one day, his old keys are not."""
    for key in keys.filter(revoked_at=None).select_related("org"):
        audit.record("key.revoke", org=key.org, actor=actor, target=key.prefix, request=request, reason=reason)
    keys.filter(revoked_at=None).update(revoked_at=Now())


def offered(invitation_id: int, user: User, token: str) -> Invitation:
    """The invitation, locked, if it is this person's or he holds its token; else Http404."""
    rows = Invitation.objects.select_for_update(of=("self",)).select_related("org")
    invitation = get_object_or_404(rows, pk=invitation_id)
    if invitation.user_id != user.pk and not opens(invitation, token):
        raise Http404
    return invitation


def opens(invitation: Invitation, token: str) -> bool:
    return bool(invitation.token_sha256) and compare_digest(invitation.token_sha256, hashed(token))


def answer(invitation: Invitation, state: str, *, user: User, request: HttpRequest | None) -> None:
    """Whose it was is kept: of one that was sent to an address nobody would know it later."""
    close(invitation, state, actor=user, request=request)
    if invitation.user_id is None:
        Invitation.objects.filter(pk=invitation.pk).update(user=user)


def close(invitation: Invitation, state: str, *, actor: User, request: HttpRequest | None) -> None:
    if invitation.state != Invitation.PENDING:
        raise InvitationClosed
    invitation.state = state
    invitation.answered_at = timezone.now()
    invitation.save(update_fields=["state", "answered_at"])
    audit.record(
        f"invitation.{state}",
        org=invitation.org,
        actor=actor,
        target=invitation.pk,
        request=request,
        role=invitation.role,
    )


def close_expired(org: Org) -> None:
    """An expired one would stand in the way of a new one: one may be pending per person."""
    org.invitations.filter(state=Invitation.PENDING, expires_at__lte=timezone.now()).update(
        state=Invitation.WITHDRAWN, answered_at=timezone.now()
    )


def hashed(token: str) -> str:
    return sha256(token.encode()).hexdigest()
