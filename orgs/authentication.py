"""Who calls the API: the bearer of an access token. What he may do is read from the database each time."""

from rest_framework_simplejwt.authentication import JWTAuthentication


class BearerAuthentication(JWTAuthentication):
    """`Authorization: Bearer <access>`. Cookies are never accepted, so the API needs no CSRF token."""

    www_authenticate_realm = "smartqueue"
