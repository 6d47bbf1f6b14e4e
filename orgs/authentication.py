"""Who calls the API: the bearer of an access token, or of a key. What he may do is read from the database each time."""

from typing import Any

from django.contrib.auth.models import AnonymousUser
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import InvalidToken
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.utils import get_md5_hash_password

from orgs import audit
from orgs.callers import caller
from orgs.good_keys import is_key, key_of
from orgs.models import ApiKey, User
from orgs.roles import KeyRole
from orgs.tokens import ODD_TIMES, sign_in_id, user_id


class BearerAuthentication(JWTAuthentication):
    """`Authorization: Bearer <access>`, or a key. Cookies are never accepted, so the API needs no CSRF token.

    With a key `request.auth` is the key, and `request.user` its maker: see scope.key_scope() for what it may do.
    """

    www_authenticate_realm = "smartqueue"

    def authenticate(self, request: Request) -> Any:
        if token := self.key_token(request):
            key = good_key(token)
            if key.role == KeyRole.WORKER:
                # what audit.record() names it by
                request._request.auth = key  # type: ignore[attr-defined]
                audit.denied(request._request, "call", actor=None, org=key.org)
                raise PermissionDenied("A worker's key is for the calls under /api/v1/worker/ only.")
            return key.created_by, key
        return super().authenticate(request)

    def get_validated_token(self, raw_token: bytes) -> Any:
        try:
            return super().get_validated_token(raw_token)
        except ODD_TIMES as error:
            raise InvalidToken("The token is not valid.") from error

    def get_user(self, validated_token: Any) -> User:  # type: ignore[override]
        """One answer to whatever is not, or not any more, a token of an open sign-in of an active person."""
        claims = validated_token.payload
        whose, sign_in = user_id(claims), sign_in_id(claims)
        user = caller(whose, sign_in) if whose and sign_in else None
        if user is None or claims.get(api_settings.REVOKE_TOKEN_CLAIM) != get_md5_hash_password(user.password):
            raise InvalidToken("The token is not valid any more. Sign in again.")
        return user

    def key_token(self, request: Request) -> str | None:
        """What was sent, where that is a key."""
        header = self.get_header(request)
        raw = self.get_raw_token(header) if header else None
        token = raw.decode("ascii", "replace") if raw else ""
        return token if is_key(token) else None


class KeyAuthentication(BearerAuthentication):
    """`Authorization: Bearer sq_live_…` of a worker: `request.auth` is the key, and `request.user` nobody."""

    def authenticate(self, request: Request) -> Any:
        if token := self.key_token(request):
            key = good_key(token)
            return (AnonymousUser() if key.role == KeyRole.WORKER else key.created_by), key
        return super().authenticate(request)


def good_key(token: str) -> ApiKey:
    """Raises AuthenticationFailed: one answer for an unknown, a wrong, an expired and a revoked one."""
    key = key_of(token)
    if key is None:
        raise AuthenticationFailed("This key is not valid, or not any more.", "bad_key")
    return key


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the documentation names it."""

    target_class = BearerAuthentication
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "The `access` token of a login, or a key: `sq_live_…`.",
        }


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The key of a worker."""

    target_class = KeyAuthentication
    name = "workerKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A worker's key, which an org_admin made: `sq_live_…`.",
        }
