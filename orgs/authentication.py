"""Who calls the API: the bearer of an access token. What he may do is read from the database each time."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework_simplejwt.authentication import JWTAuthentication

from orgs.callers import Callers


class BearerAuthentication(JWTAuthentication):
    """`Authorization: Bearer <access>`. Cookies are never accepted, so the API needs no CSRF token."""

    www_authenticate_realm = "smartqueue"

    def __init__(self) -> None:
        super().__init__()
        self.user_model = Callers()  # type: ignore[assignment]


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
