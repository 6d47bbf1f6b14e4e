"""What people do to their own accounts: register, sign in, refresh and end their tokens, change the password."""

from django.contrib.auth import authenticate
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils import timezone
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.tokens import RefreshToken
from rest_framework_simplejwt.utils import get_md5_hash_password

from orgs import audit, rates
from orgs.errors import BadCredentials, BadRefreshToken
from orgs.membership import create_org
from orgs.models import User
from orgs.names import check_username_free


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


def give_tokens(user: User) -> RefreshToken:
    return RefreshToken.for_user(user)


def rotate(encoded: str, *, request: HttpRequest | None = None) -> RefreshToken:
    """A new refresh token for a good one, which ends. Raises BadRefreshToken.

    One that was used before is in two hands: then all of the person's refresh tokens end.
    """
    token = read(encoded)
    with transaction.atomic():
        user = owner_locked(token)
        row = OutstandingToken.objects.filter(jti=token[api_settings.JTI_CLAIM], user=user).first()
        fresh = None
        if row and BlacklistedToken.objects.filter(token=row).exists():
            end_all_tokens(user)
            audit.record("auth.refresh_reused", actor=user, target=user.get_username(), request=request)
        elif row:
            BlacklistedToken.objects.create(token=row)
            fresh = give_tokens(user)
    # Raised outside, for the family's end must be committed.
    if fresh is None:
        raise BadRefreshToken
    return fresh


def sign_out(encoded: str, *, request: HttpRequest | None = None) -> None:
    """End a refresh token; to hold it is to own it. Ending it twice is no fault. Raises BadRefreshToken."""
    token = read(encoded)
    with transaction.atomic():
        user = owner_locked(token)
        row = OutstandingToken.objects.filter(jti=token[api_settings.JTI_CLAIM], user=user).first()
        if row is None:
            raise BadRefreshToken
        _, ended_now = BlacklistedToken.objects.get_or_create(token=row)
        if ended_now:
            audit.record("auth.logout", actor=user, target=user.get_username(), request=request)


def end_session(user: User, *, request: HttpRequest) -> None:
    """Write down that a person leaves the pages; the session itself is Django's."""
    audit.record("auth.logout", actor=user, target=user.get_username(), request=request)


def change_password(user: User, new: str, *, request: HttpRequest | None = None) -> None:
    """Ends every token and session that was given out under the old one."""
    with transaction.atomic():
        user.set_password(new)
        user.save(update_fields=["password"])
        end_all_tokens(user)
        audit.record("auth.password", actor=user, target=user.get_username(), request=request)


def change_email(user: User, email: str, *, request: HttpRequest | None = None) -> None:
    with transaction.atomic():
        old, user.email = user.email, email
        user.save(update_fields=["email"])
        audit.record("auth.email", actor=user, target=user.get_username(), request=request, old=old, new=email)


def check_current_password(user: User, password: str) -> None:
    if not user.check_password(password):
        raise ValidationError("This is not your password.", code="wrong_password")


class ReadRefreshToken(RefreshToken):
    """Signature, expiry, audience and kind are checked on reading, but not yet whether it was used."""

    def check_blacklist(self) -> None:
        """Only an answer found under the lock counts; see rotate()."""


def read(encoded: str) -> RefreshToken:
    try:
        return ReadRefreshToken(encoded)  # type: ignore[arg-type]
    except TokenError as error:
        raise BadRefreshToken from error


def owner_locked(token: RefreshToken) -> User:
    """The person the token was given to, locked so that his tokens change in one request at a time.

    One lock on the person rather than one on each token: ending the family takes several tokens, and two requests
    that hold one each would wait for each other for ever.
    """
    rows = User.objects.select_for_update(no_key=True)
    user = rows.filter(pk=token.payload.get(api_settings.USER_ID_CLAIM, 0), is_active=True).first()
    if user is None or token.payload.get(api_settings.REVOKE_TOKEN_CLAIM) != get_md5_hash_password(user.password):
        raise BadRefreshToken
    return user


def end_all_tokens(user: User) -> None:
    open_tokens = OutstandingToken.objects.filter(
        user=user, expires_at__gt=timezone.now(), blacklistedtoken__isnull=True
    )
    BlacklistedToken.objects.bulk_create(
        [BlacklistedToken(token=token) for token in open_tokens], ignore_conflicts=True
    )
