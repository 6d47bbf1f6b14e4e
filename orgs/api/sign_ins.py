"""Where a person is signed in to the API, over REST."""

from typing import Any, ClassVar

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from orgs import accounts
from orgs.models import SignIn
from orgs.permissions import IsSignedIn
from orgs.scope import person

MOST = 200


class SignInSerializer(serializers.ModelSerializer[SignIn]):
    """A sign-in to the API, which goes on with each refresh."""

    class Meta:
        model = SignIn
        fields: ClassVar[list[str]] = ["id", "created_at", "expires_at"]


class SignInsSerializer(serializers.Serializer[Any]):
    sign_ins = SignInSerializer(many=True, help_text=f"The latest {MOST}.")


class SignIns(APIView):
    permission_classes = [IsSignedIn]

    @extend_schema(
        operation_id="get_sign_ins",
        summary="Where you are signed in to the API",
        responses={200: SignInsSerializer},
    )
    def get(self, request: Request) -> Response:
        found = accounts.open_sign_ins(person(request)).order_by("-created_at")[:MOST]
        return Response(SignInsSerializer({"sign_ins": found}).data)

    @extend_schema(
        operation_id="end_sign_ins",
        summary="Sign out everywhere",
        description="Every token of yours ends, the one of this call too, and every session of the pages.",
        responses={204: None},
    )
    def delete(self, request: Request) -> Response:
        accounts.end_everywhere(person(request), request=request._request)
        return Response(status=204)


class OneSignIn(APIView):
    permission_classes = [IsSignedIn]

    @extend_schema(
        operation_id="end_sign_in",
        summary="End a sign-in",
        description="With all its tokens, the access tokens too.",
        responses={204: None},
    )
    def delete(self, request: Request, sign_in_id: str) -> Response:
        if not accounts.end_sign_in(person(request), sign_in_id, request=request._request):
            raise Http404
        return Response(status=204)
