"""Keys of an organisation's own workers over REST."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from orgs import keys
from orgs.models import ApiKey
from orgs.names import check_printable
from orgs.pagination import KeysetPagination
from orgs.roles import Action, KeyRole
from orgs.scope import scope_of
from orgs.serializers import StrictSerializer

TAGS = ["worker-keys"]
MOST_DAYS = 3_650
KEY_ROLES = [role.value for role in KeyRole]


class NewKeySerializer(StrictSerializer):
    name = serializers.CharField(max_length=64, validators=[check_printable], help_text="For you to tell it by.")
    expires_in_days = serializers.IntegerField(
        required=False, allow_null=True, default=None, min_value=1, max_value=MOST_DAYS, help_text="Never by default."
    )


class KeySerializer(serializers.ModelSerializer[ApiKey]):
    """A key without its secret."""

    id = serializers.CharField(source="prefix", help_text="As it stands in the token: `sq_live_<id>_…`.")
    role = serializers.ChoiceField(KEY_ROLES)
    created_by = serializers.CharField(source="created_by.username", default=None, allow_null=True)

    class Meta:
        model = ApiKey
        fields = ["id", "name", "role", "created_by", "created_at", "expires_at", "last_used_at", "revoked_at"]


class MadeKeySerializer(KeySerializer):
    """A new key, with the token that is shown this once."""

    token = serializers.CharField()

    class Meta(KeySerializer.Meta):
        fields = [*KeySerializer.Meta.fields, "token"]


class WorkerKeys(ListAPIView[ApiKey]):
    actions = {"GET": Action.MANAGE_KEYS, "POST": Action.MANAGE_KEYS}
    serializer_class = KeySerializer
    pagination_class = KeysetPagination
    queryset = ApiKey.objects.none()

    def get_queryset(self) -> QuerySet[ApiKey]:
        return scope_of(self.request).org.keys.filter(role=KeyRole.WORKER).select_related("created_by")

    @extend_schema(
        tags=TAGS,
        operation_id="list_worker_keys",
        summary="Keys of your own workers",
        description="The revoked and the expired too, the newest first.",
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)

    @extend_schema(
        tags=TAGS,
        operation_id="create_worker_key",
        summary="Make a key",
        description="Its token is in this answer and nowhere else. It opens the calls under `/worker/` of this "
        "organisation, and nothing more.",
        request=NewKeySerializer,
        responses={201: MadeKeySerializer},
        examples=[OpenApiExample("For a year", request_only=True, value={"name": "gpu-1", "expires_in_days": 365})],
    )
    def post(self, request: Request) -> Response:
        sent = NewKeySerializer.read(request)
        scope = scope_of(request)
        key, token = keys.create_key(**sent, scope=scope, request=request._request)
        key.token = token  # type: ignore[attr-defined]
        return Response(MadeKeySerializer(key).data, 201)


class WorkerKey(APIView):
    actions = {"DELETE": Action.MANAGE_KEYS}

    @extend_schema(
        tags=TAGS,
        operation_id="revoke_worker_key",
        summary="Revoke a key",
        description="Its next call is refused. What its workers hold is taken back when the leases end.",
        responses={204: None},
    )
    def delete(self, request: Request, key_id: str) -> Response:
        keys.revoke_key(key_id, scope=scope_of(request), request=request._request)
        return Response(status=204)
