"""Accounts over REST: register, login, refresh, logout, profile, password."""

from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from django.urls import reverse
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.fields import get_error_detail
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.tokens import RefreshToken

from orgs import accounts, rates, removal, walls
from orgs.api.serializers import (
    LoginSerializer,
    PasswordSerializer,
    ProfileChangeSerializer,
    ProfileSerializer,
    RefreshTokenSerializer,
    RegisterSerializer,
    RemovalSerializer,
    SignedInSerializer,
    TokensSerializer,
)
from orgs.models import User
from orgs.permissions import IsSignedIn
from orgs.scope import person
from orgs.tokens import give_tokens, rotate, sign_out

NO_STORE = {"Cache-Control": "no-store"}
TOKENS_EXAMPLE = {"access": "eyJhbGciOiJIUzI1NiJ9.eyJ0eXAi…", "refresh": "eyJhbGciOiJIUzI1NiJ9.eyJ0eXAi…"}
SIGNED_IN_EXAMPLE = OpenApiExample(
    "Signed in",
    response_only=True,
    status_codes=["200", "201"],
    value={
        **TOKENS_EXAMPLE,
        "user": {
            "id": 7,
            "username": "ada",
            "email": "ada@example.com",
            "is_platform_admin": False,
            "active_org": "analytical-engines",
            "memberships": [{"org": "analytical-engines", "name": "Analytical Engines", "role": "org_admin"}],
        },
    },
)


class PublicView(APIView):
    public = True
    authentication_classes = []
    permission_classes = [AllowAny]
    # each counts by itself, before it does anything dear
    throttle_classes = []

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        walls.open_for(walls.Across.PERSONAL)
        super().initial(request, *args, **kwargs)

    # Without it DRF would answer 403 where 401 is meant.
    def get_authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="smartqueue"'


class Register(PublicView):
    @extend_schema(
        summary="Make an account",
        description="With `organisation`, also an organisation with you as org_admin. Others admit you by invitation.",
        request=RegisterSerializer,
        responses={201: SignedInSerializer},
        examples=[
            OpenApiExample(
                "With an organisation",
                request_only=True,
                value={
                    "username": "ada",
                    "email": "ada@example.com",
                    "password": "note G, 1843",
                    "organisation": "Analytical Engines",
                },
            ),
            SIGNED_IN_EXAMPLE,
        ],
    )
    def post(self, request: Request) -> Response:
        rates.registering(request._request)
        sent = RegisterSerializer.read(request)
        try:
            user = accounts.register(**sent, request=request._request)
        except DjangoValidationError as error:
            raise ValidationError({"username": get_error_detail(error)}) from error
        return Response(signed_in(user), 201, headers={**NO_STORE, "Location": reverse("auth-me")})


class Login(PublicView):
    @extend_schema(
        summary="Sign in",
        request=LoginSerializer,
        responses={200: SignedInSerializer, 401: OpenApiResponse(description="Username or password is not right.")},
        examples=[
            OpenApiExample("Sign in", request_only=True, value={"username": "ada", "password": "note G, 1843"}),
            SIGNED_IN_EXAMPLE,
        ],
    )
    def post(self, request: Request) -> Response:
        sent = LoginSerializer.read(request)
        user = accounts.sign_in(sent["username"], sent["password"], request=request._request)
        return Response(signed_in(user), headers=NO_STORE)


class Refresh(PublicView):
    @extend_schema(
        summary="Trade a refresh token for new tokens",
        description="The one sent ends. Sent again, it is in two hands: then this sign-in ends, with all its tokens.",
        request=RefreshTokenSerializer,
        responses={200: TokensSerializer, 401: OpenApiResponse(description="No refresh token that is still good.")},
    )
    def post(self, request: Request) -> Response:
        rates.refreshing(request._request)
        sent = RefreshTokenSerializer.read(request)
        return Response(tokens(rotate(sent["refresh"], request=request._request)), headers=NO_STORE)


class Logout(PublicView):
    @extend_schema(
        summary="Sign out",
        description="Every token of the sign-in ends, the access tokens too.",
        request=RefreshTokenSerializer,
        responses={204: None, 401: OpenApiResponse(description="No refresh token of ours.")},
    )
    def post(self, request: Request) -> Response:
        rates.refreshing(request._request)
        sign_out(RefreshTokenSerializer.read(request)["refresh"], request=request._request)
        return Response(status=204)


class Me(APIView):
    permission_classes = [IsSignedIn]

    @extend_schema(summary="Who you are and where you belong", responses={200: ProfileSerializer})
    def get(self, request: Request) -> Response:
        return Response(ProfileSerializer(person(request)).data)

    @extend_schema(
        summary="Change your e-mail address", request=ProfileChangeSerializer, responses={200: ProfileSerializer}
    )
    def patch(self, request: Request) -> Response:
        sent = ProfileChangeSerializer.read(request)
        if "email" in sent:
            accounts.change_email(person(request), sent["email"], request=request._request)
        return Response(ProfileSerializer(person(request)).data)

    @extend_schema(
        summary="Remove your account",
        description="For good: your name and address are shown nowhere any more, and nobody can register the name "
        "again; what you did stays, as a removed user's. Your keys and all sign-ins end. 409 says in `organisations` "
        "where you are the last org_admin, and what must come `first`: to `appoint` another, or to `close` it.",
        request=RemovalSerializer,
        responses={204: None, 409: OpenApiResponse(description="The last org_admin, or the last platform admin.")},
        examples=[OpenApiExample("Remove", request_only=True, value={"current_password": "note G, 1843"})],
    )
    def delete(self, request: Request) -> Response:
        rates.trying_password(request._request, person(request))
        RemovalSerializer.read(request)
        removal.remove(person(request), actor=person(request), request=request._request)
        return Response(status=204)


class Password(APIView):
    permission_classes = [IsSignedIn]

    @extend_schema(
        summary="Change your password",
        description="Every token and session given out before ends; the answer holds new tokens.",
        request=PasswordSerializer,
        responses={200: TokensSerializer},
    )
    def post(self, request: Request) -> Response:
        rates.trying_password(request._request, person(request))
        sent = PasswordSerializer.read(request)
        user = person(request)
        accounts.change_password(user, sent["new_password"], request=request._request)
        return Response(tokens(give_tokens(user)), headers=NO_STORE)


def tokens(refresh: RefreshToken) -> dict[str, str]:
    return {"access": str(refresh.access_token), "refresh": str(refresh)}


def signed_in(user: User) -> dict[str, Any]:
    return {**tokens(give_tokens(user)), "user": ProfileSerializer(user).data}
