"""What people do to their own accounts: register, sign in, change the password."""

from uuid import UUID

from django.contrib.auth import authenticate
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils.translation import gettext as _

from orgs import audit, rates
from orgs.errors import BadCredentials
from orgs.membership import create_org, open_account
from orgs.models import SignIn, User
from orgs.names import check_username_free
from orgs.tokens import end_all_tokens


def register(
    *, username: str, email: str, password: str, organisation: str = "", request: HttpRequest | None = None
) -> User:
    """A new person, with a new organisation of his own if named. The fields were checked by the caller.

    Raises ValidationError when somebody else took the name since.
    """
    try:
        with transaction.atomic():
            user = User.objects.create_user(username, email, password)
            audit.record("auth.register", actor=user, target=username, request=request)
            if organisation:
                create_org(organisation, user=user, request=request)
    except IntegrityError:
        check_username_free(username)
        raise
    return user


def sign_in(username: str, password: str, *, request: HttpRequest) -> User:
    """The person; his sign-in, or the failure, is recorded. Raises BadCredentials, RateLimited.

    Django computes a hash for an unknown name too, so that time does not tell who has an account.
    """
    rates.signing_in(request, username)
    user = authenticate(request, username=username, password=password)
    if not isinstance(user, User):
        audit.record("auth.login_failed", target=username, request=request)
        raise BadCredentials
    rates.signed_in(username)
    audit.record("auth.login", actor=user, target=user.get_username(), request=request)
    return user


def end_session(user: User, *, request: HttpRequest) -> None:
    """Write down that a person leaves the pages; the session itself is Django's."""
    audit.record("auth.logout", actor=user, target=user.get_username(), request=request)


def change_password(user: User, new: str, *, request: HttpRequest | None = None) -> None:
    """Ends every token and session that was given out under the old one."""
    with open_account(user):
        user.set_password(new)
        user.save(update_fields=["password"])
        end_all_tokens(user)
        audit.record("auth.password", actor=user, target=user.get_username(), request=request)


def open_sign_ins(user: User) -> QuerySet[SignIn]:
    """To the API, by the database's clock. Those of the pages are Django's sessions, which nobody lists."""
    return SignIn.objects.filter(user=user, ended_at=None, expires_at__gt=Now())


def end_sign_in(user: User, sign_in_id: str, *, request: HttpRequest | None = None) -> bool:
    """Whether it was one of his that was open."""
    try:
        named = UUID(sign_in_id)
    except ValueError:
        return False
    with open_account(user):
        ended = open_sign_ins(user).filter(pk=named).update(ended_at=Now())
        if ended:
            audit.record("auth.sign_in_ended", actor=user, target=user.get_username(), request=request, id=str(named))
    return bool(ended)


def end_everywhere(user: User, *, request: HttpRequest | None = None) -> None:
    """Ends every token and every session that was given out before."""
    with open_account(user):
        User.objects.filter(pk=user.pk).update(session_epoch=F("session_epoch") + 1)
        end_all_tokens(user)
        audit.record("auth.signed_out_everywhere", actor=user, target=user.get_username(), request=request)
    user.refresh_from_db(fields=["session_epoch"])


def change_email(user: User, email: str, *, request: HttpRequest | None = None) -> None:
    with open_account(user):
        old, user.email = user.email, email
        user.save(update_fields=["email"])
        audit.record("auth.email", actor=user, target=user.get_username(), request=request, old=old, new=email)


def check_current_password(user: User, password: str) -> None:
    if not user.check_password(password):
        raise ValidationError(_("This is not your password."), code="wrong_password")
