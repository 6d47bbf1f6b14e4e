"""Keys over REST: those that stand for a role, and those of an organisation's own workers."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from orgs import keys
from orgs.good_keys import weighed, worth
from orgs.models import ApiKey
from orgs.names import check_printable
from orgs.pagination import KeysetPagination
from orgs.roles import Action, KeyRole
from orgs.scope import scope_of
from orgs.serializers import StrictSerializer

TAGS = ["keys"]
WORKER_TAGS = ["worker-keys"]
MOST_DAYS = 3_650
KEY_ROLES = [role.value for role in KeyRole]
TOO_MANY = OpenApiResponse(description="You have as many good keys here as one member may have.")
ENDED = OpenApiResponse(description="It has ended already, or you have as many as one member may have.")
NO_STORE = {"Cache-Control": "no-store"}


class NewWorkerKeySerializer(StrictSerializer):
    name = serializers.CharField(max_length=64, validators=[check_printable], help_text="For you to tell it by.")
    expires_in_days = serializers.IntegerField(
        required=False, allow_null=True, default=None, min_value=1, max_value=MOST_DAYS, help_text="Never by default."
    )


class NewKeySerializer(NewWorkerKeySerializer):
    role = serializers.ChoiceField(KEY_ROLES, help_text="No more than your own; `worker` takes an org_admin.")


class RotationSerializer(StrictSerializer):
    overlap_hours = serializers.IntegerField(
        required=False,
        default=keys.OVERLAP_HOURS,
        min_value=0,
        max_value=keys.MOST_OVERLAP_HOURS,
        help_text="How long the old key goes on; 0 ends it at once.",
    )


class KeySerializer(serializers.ModelSerializer[ApiKey]):
    """A key without its secret."""

    id = serializers.CharField(source="prefix", help_text="As it stands in the token: `sq_live_<id>_…`.")
    role = serializers.ChoiceField(KEY_ROLES)
    acts_as = serializers.SerializerMethodField(
        help_text="What it is worth now: its role, but no more than its maker's. null: it opens nothing, because it is "
        "revoked or expired, or its maker may not make it any more."
    )
    created_by = serializers.CharField(source="created_by.username", default=None, allow_null=True)

    class Meta:
        model = ApiKey
        fields: ClassVar[list[str]] = [
            *("id", "name", "role", "acts_as"),
            *("created_by", "created_at", "expires_at", "last_used_at", "revoked_at"),
        ]

    @extend_schema_field(serializers.ChoiceField(KEY_ROLES, allow_null=True))
    def get_acts_as(self, key: ApiKey) -> str | None:
        return worth(key)


class MadeKeySerializer(KeySerializer):
    """A new key, with the token that is shown this once."""

    token = serializers.CharField()

    class Meta(KeySerializer.Meta):
        fields: ClassVar[list[str]] = [*KeySerializer.Meta.fields, "token"]


def made(request: Request, sent: dict[str, Any]) -> Response:
    """The answer to the making of a key."""
    return shown_once(*keys.create_key(**sent, scope=scope_of(request), request=request._request))


def shown_once(key: ApiKey, token: str) -> Response:
    key.token = token  # type: ignore[attr-defined]
    return Response(MadeKeySerializer(key).data, 201, headers=NO_STORE)


class Keys(ListAPIView[ApiKey]):
    actions: ClassVar[dict[str, Action]] = {"GET": Action.OWN_KEYS, "POST": Action.OWN_KEYS}
    serializer_class = KeySerializer
    pagination_class = KeysetPagination
    queryset = ApiKey.objects.none()

    def get_queryset(self) -> QuerySet[ApiKey]:
        return weighed(keys.visible(scope_of(self.request))).select_related("created_by")

    @extend_schema(
        tags=TAGS,
        operation_id="list_keys",
        summary="Keys, the newest first",
        description="Yours; for an org_admin all of the organisation. The revoked and the expired too.",
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)

    @extend_schema(
        tags=TAGS,
        operation_id="create_key",
        summary="Make a key",
        description="Its token is in this answer and nowhere else. It acts in this organisation only, with its role: "
        "send it where an access token is sent. It does not stand for you: your account, members and keys take a "
        "person. It loses what you lose, and ends when you are no member any more.",
        request=NewKeySerializer,
        responses={201: MadeKeySerializer, 409: TOO_MANY},
        examples=[
            OpenApiExample(
                "For a quarter", request_only=True, value={"name": "ci", "role": "operator", "expires_in_days": 90}
            )
        ],
    )
    def post(self, request: Request) -> Response:
        return made(request, NewKeySerializer.read(request))


class Key(APIView):
    actions: ClassVar[dict[str, Action]] = {"DELETE": Action.OWN_KEYS}

    @extend_schema(
        tags=TAGS,
        operation_id="revoke_key",
        summary="Revoke a key",
        description="One of yours; as org_admin any of the organisation. Its next call is refused.",
        responses={204: None},
    )
    def delete(self, request: Request, key_id: str) -> Response:
        keys.revoke_key(key_id, scope=scope_of(request), request=request._request)
        return Response(status=204)


class KeyRotation(APIView):
    actions: ClassVar[dict[str, Action]] = {"POST": Action.OWN_KEYS}

    @extend_schema(
        tags=TAGS,
        operation_id="rotate_key",
        summary="Rotate a key",
        description="One of yours; as org_admin any of the organisation, a worker's too. The new one has its name and "
        "role, is yours, and lasts as long as the old one was made for. The old one ends after the overlap.",
        request=RotationSerializer,
        responses={
            201: MadeKeySerializer,
            409: OpenApiResponse(description="It has ended already, or as for a new one."),
        },
        examples=[OpenApiExample("Within two days", request_only=True, value={"overlap_hours": 48})],
    )
    def post(self, request: Request, key_id: str) -> Response:
        sent = RotationSerializer.read(request)
        key, token = keys.rotate_key(key_id, scope=scope_of(request), request=request._request, **sent)
        return shown_once(key, token)


class WorkerKeys(ListAPIView[ApiKey]):
    actions: ClassVar[dict[str, Action]] = {"GET": Action.MANAGE_KEYS, "POST": Action.MANAGE_KEYS}
    serializer_class = KeySerializer
    pagination_class = KeysetPagination
    queryset = ApiKey.objects.none()

    def get_queryset(self) -> QuerySet[ApiKey]:
        return weighed(scope_of(self.request).org.keys.filter(role=KeyRole.WORKER)).select_related("created_by")

    @extend_schema(
        tags=WORKER_TAGS,
        operation_id="list_worker_keys",
        summary="Keys of your own workers",
        description="The revoked and the expired too, the newest first.",
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)

    @extend_schema(
        tags=WORKER_TAGS,
        operation_id="create_worker_key",
        summary="Make a worker's key",
        description="Its token is in this answer and nowhere else. It opens the calls under `/worker/` of this "
        "organisation, and nothing more, for as long as you are org_admin.",
        request=NewWorkerKeySerializer,
        responses={201: MadeKeySerializer, 409: TOO_MANY},
        examples=[OpenApiExample("For a year", request_only=True, value={"name": "gpu-1", "expires_in_days": 365})],
    )
    def post(self, request: Request) -> Response:
        return made(request, {**NewWorkerKeySerializer.read(request), "role": KeyRole.WORKER})


class WorkerKey(APIView):
    actions: ClassVar[dict[str, Action]] = {"DELETE": Action.MANAGE_KEYS}

    @extend_schema(
        tags=WORKER_TAGS,
        operation_id="revoke_worker_key",
        summary="Revoke a worker's key",
        description="Its next call is refused. What its workers hold is taken back when the leases end.",
        responses={204: None},
    )
    def delete(self, request: Request, key_id: str) -> Response:
        keys.revoke_key(key_id, scope=scope_of(request), request=request._request)
        return Response(status=204)
