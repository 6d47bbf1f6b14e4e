"""Who calls the API: the bearer of an access token, or of a key. What he may do is read from the database each time."""

from typing import Any

from django.contrib.auth.models import AnonymousUser
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request
from rest_framework_simplejwt.authentication import JWTAuthentication

from orgs import audit
from orgs.callers import Callers
from orgs.keys import is_key, key_of
from orgs.models import ApiKey


class BearerAuthentication(JWTAuthentication):
    """`Authorization: Bearer <access>`. Cookies are never accepted, so the API needs no CSRF token."""

    www_authenticate_realm = "smartqueue"

    def __init__(self) -> None:
        super().__init__()
        self.user_model = Callers()  # type: ignore[assignment]

    def authenticate(self, request: Request) -> Any:
        if token := self.key_token(request):
            # what audit.record() names it by
            request._request.auth = key = good_key(token)  # type: ignore[attr-defined]
            audit.denied(request._request, "call", actor=None, org=key.org)
            raise PermissionDenied("A worker's key is for the calls under /api/v1/worker/ only.")
        return super().authenticate(request)

    def key_token(self, request: Request) -> str | None:
        """What was sent, where that is a key."""
        header = self.get_header(request)
        raw = self.get_raw_token(header) if header else None
        token = raw.decode("ascii", "replace") if raw else ""
        return token if is_key(token) else None


class KeyAuthentication(BearerAuthentication):
    """`Authorization: Bearer sq_live_…`: `request.auth` is the key, and `request.user` nobody."""

    def authenticate(self, request: Request) -> Any:
        if token := self.key_token(request):
            return AnonymousUser(), good_key(token)
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
            "bearerFormat": "JWT",
            "description": "The `access` token of a login.",
        }


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The key of a worker."""

    target_class = KeyAuthentication
    name = "workerKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "A key that an org_admin made: `sq_live_…`."}
