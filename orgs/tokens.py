"""The tokens of the API: given, traded for newer ones, ended. What is open is in the database, not in a token.

All tokens of one sign-in name it (`sid`), and it is asked for at each call: what ends it ends access tokens too.
"""

import re
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now
from django.http import HttpRequest
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.tokens import RefreshToken
from rest_framework_simplejwt.utils import datetime_from_epoch, get_md5_hash_password

from orgs import audit
from orgs.errors import BadRefreshToken
from orgs.models import SignIn, User

SIGN_IN_CLAIM = "sid"
# What simplejwt makes of an expiry that is no time.
ODD_TIMES = (OverflowError, ValueError, TypeError, OSError)
DATABASE_ID = re.compile(r"[0-9]{1,18}", re.ASCII)


def give_tokens(user: User, sign_in: SignIn | None = None) -> RefreshToken:
    """A refresh token, with the access token it brings: of a new sign-in, or of one that goes on.

    Its text is not kept: who reads the database cannot sign in with what he finds.
    """
    token = RefreshToken()
    expires_at = datetime_from_epoch(token["exp"])
    if sign_in is None:
        sign_in = SignIn.objects.create(user=user, expires_at=expires_at)
    else:
        SignIn.objects.filter(pk=sign_in.pk).update(expires_at=expires_at)
    token[api_settings.USER_ID_CLAIM] = str(user.pk)
    token[api_settings.REVOKE_TOKEN_CLAIM] = get_md5_hash_password(user.password)
    token[SIGN_IN_CLAIM] = str(sign_in.pk)
    OutstandingToken.objects.create(
        user=user, jti=token[api_settings.JTI_CLAIM], created_at=token.current_time, expires_at=expires_at
    )
    return token


def rotate(encoded: str, *, request: HttpRequest | None = None) -> RefreshToken:
    """A new refresh token for a good one, which ends. Raises BadRefreshToken.

    One that was used before is in two hands: then all tokens of its sign-in end.
    """
    token = read(encoded)
    with transaction.atomic():
        user = owner_locked(token)
        row = OutstandingToken.objects.filter(jti=token[api_settings.JTI_CLAIM], user=user).first()
        sign_in = sign_in_of(token, user)
        fresh = None
        if row is None or sign_in.ended_at is not None:
            pass
        elif BlacklistedToken.objects.filter(token=row).exists():
            end(sign_in)
            audit.record("auth.refresh_reused", actor=user, target=user.get_username(), request=request)
        else:
            BlacklistedToken.objects.create(token=row)
            fresh = give_tokens(user, sign_in)
    # Raised outside, for the family's end must be committed.
    if fresh is None:
        raise BadRefreshToken
    return fresh


def sign_out(encoded: str, *, request: HttpRequest | None = None) -> None:
    """End a sign-in by its refresh token; to hold it is to own it. Again is no fault. Raises BadRefreshToken."""
    token = read(encoded)
    with transaction.atomic():
        user = owner_locked(token)
        sign_in = sign_in_of(token, user)
        if sign_in.ended_at is None:
            end(sign_in)
            audit.record("auth.logout", actor=user, target=user.get_username(), request=request)


class ReadRefreshToken(RefreshToken):
    """Signature, expiry, audience and kind are checked on reading, but not yet whether it was used."""

    def check_blacklist(self) -> None:
        """Only an answer found under the lock counts; see rotate()."""


def read(encoded: str) -> RefreshToken:
    try:
        return ReadRefreshToken(encoded)  # type: ignore[arg-type]
    except (TokenError, *ODD_TIMES) as error:
        raise BadRefreshToken from error


def owner_locked(token: RefreshToken) -> User:
    """The person the token was given to, locked so that his tokens change in one request at a time."""
    rows = User.objects.select_for_update(no_key=True)
    user = rows.filter(pk=user_id(token.payload) or 0, is_active=True).first()
    if user is None or token.payload.get(api_settings.REVOKE_TOKEN_CLAIM) != get_md5_hash_password(user.password):
        raise BadRefreshToken
    return user


def sign_in_of(token: RefreshToken, user: User) -> SignIn:
    """Raises BadRefreshToken."""
    named = sign_in_id(token.payload)
    sign_in = SignIn.objects.filter(pk=named, user=user).first() if named else None
    if sign_in is None:
        raise BadRefreshToken
    return sign_in


def user_id(claims: dict[str, Any]) -> int | None:
    """Whose a token says that it is."""
    said = claims.get(api_settings.USER_ID_CLAIM)
    return int(said) if isinstance(said, str) and DATABASE_ID.fullmatch(said) else None


def sign_in_id(claims: dict[str, Any]) -> UUID | None:
    """Which sign-in a token says that it is of."""
    try:
        return UUID(claims[SIGN_IN_CLAIM])
    except (KeyError, ValueError, AttributeError, TypeError):
        return None


def end(sign_in: SignIn) -> None:
    SignIn.objects.filter(pk=sign_in.pk).update(ended_at=Now())


def end_all_tokens(user: User) -> None:
    """Of all sign-ins to the API; access tokens too, from the next call on."""
    SignIn.objects.filter(user=user, ended_at=None).update(ended_at=Now())


def forget_expired(batch: int) -> None:
    """Nobody can use them any more; so many of each at a time."""
    tokens = OutstandingToken.objects.filter(expires_at__lt=Now()).order_by("expires_at").values_list("pk", flat=True)
    OutstandingToken.objects.filter(pk__in=list(tokens[:batch])).delete()
    sign_ins = SignIn.objects.filter(expires_at__lt=Now()).order_by("expires_at").values_list("pk", flat=True)
    SignIn.objects.filter(pk__in=list(sign_ins[:batch])).delete()
