"""An organisation's secrets: their names are listed, their values go in and never come out."""

from typing import Any

from django.core.exceptions import ValidationError as Invalid
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.api.base import OrgView
from jobs.api.docs import body, listing
from jobs.api.fields import MomentField, TextField
from jobs.api.filters import PageQuery
from jobs.api.paging import key_page, page_response
from orgs import vault
from orgs.models import Secret
from orgs.roles import Action
from orgs.serializers import StrictSerializer


class SecretValueSerializer(StrictSerializer):
    value = TextField(
        write_only=True,
        validators=[vault.check_value],
        help_text=f"{vault.VALUE_MIN_CHARACTERS} characters or more, at most {vault.VALUE_MAX_BYTES} bytes.",
    )


class SecretSerializer(serializers.Serializer[Secret]):
    """All that is shown of a secret."""

    name = serializers.CharField()
    reference = serializers.SerializerMethodField(help_text="What stands for it in a payload.")
    version = serializers.IntegerField(help_text="How often its value was set.")
    key_id = serializers.CharField(help_text="Of the key that it is sealed with.")
    created_by = serializers.CharField(source="created_by.username", default=None, allow_null=True)
    created_at = MomentField()
    updated_by = serializers.CharField(source="updated_by.username", default=None, allow_null=True)
    updated_at = MomentField()
    last_used_at = MomentField(allow_null=True, help_text="To a few minutes.")

    def get_reference(self, secret: Secret) -> str:
        return f"{{{{secret:{secret.name}}}}}"


list_secrets = listing(
    "list_secrets", "Secrets", SecretSerializer, PageQuery, "By name. For those who may submit jobs that use them."
)
put_secret = extend_schema(
    operation_id="set_secret",
    summary="Set a secret",
    description="A letter, then up to 63 letters, digits or underscores make its name. The value takes the place of "
    "the one there was, also for jobs that wait already. Nobody can read it again.",
    request=SecretValueSerializer,
    responses={
        200: SecretSerializer,
        201: SecretSerializer,
        409: OpenApiResponse(description=f"There are {vault.MOST_SECRETS} already."),
    },
    examples=[body("A token", {"value": "a-token-of-the-crm"})],
)
delete_secret = extend_schema(
    operation_id="remove_secret",
    summary="Remove a secret",
    description="Jobs that need it fail for good from now on.",
    request=None,
    responses={204: None},
)


class SecretsView(OrgView):
    actions = {"GET": Action.SUBMIT}

    @list_secrets
    def get(self, request: Request) -> Response:
        asked = PageQuery.asked(request)
        rows = Secret.objects.filter(org=self.scope.org).select_related("created_by", "updated_by")
        found, next_cursor = key_page(rows, "name", limit=asked["limit"], cursor=asked["cursor"])
        return page_response(request, found, next_cursor, SecretSerializer)


class SecretView(OrgView):
    actions = {"PUT": Action.MANAGE_SECRETS, "DELETE": Action.MANAGE_SECRETS}

    @put_secret
    def put(self, request: Request, name: str) -> Response:
        sent: dict[str, Any] = SecretValueSerializer.read(request)
        try:
            secret, created = vault.put(name, sent["value"], scope=self.scope, request=request._request)
        except Invalid as error:
            raise ValidationError({"name": error.messages}, error.code) from None
        return Response(SecretSerializer(secret).data, status=201 if created else 200)

    @delete_secret
    def delete(self, request: Request, name: str) -> Response:
        vault.remove(name, scope=self.scope, request=request._request)
        return Response(status=204)
