"""The shapes of files, and what the OpenAPI document says of the views of them."""

from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import serializers

from jobs.api.docs import IF_NONE_MATCH, body, listing
from jobs.api.fields import MomentField, TextField
from jobs.api.filters import PageQuery, QuerySerializer
from jobs.downloads import LONGEST_LINK_SECONDS
from jobs.models import Artefact
from orgs.serializers import StrictSerializer

# Of the type that was said when it was sent.
BINARY = {(200, "*/*"): OpenApiTypes.BINARY}


class NewArtefactQuery(QuerySerializer):
    name = TextField(
        required=False,
        default="file",
        help_text="What it is called: at most 120 letters, digits, blanks and ._()+-.",
    )


class NewLinkSerializer(StrictSerializer):
    seconds = serializers.IntegerField(
        required=False,
        default=3600,
        min_value=1,
        max_value=LONGEST_LINK_SECONDS,
        help_text="For so long it opens the file; a week at most.",
    )


class LinkSerializer(serializers.Serializer[dict[str, object]]):
    url = serializers.CharField(help_text="Whoever has it can download the file, without signing in.")
    expires_at = MomentField()


class SentArtefactSerializer(serializers.Serializer[Artefact]):
    """A file that somebody sent or a job made."""

    id = serializers.UUIDField(help_text="How a payload names it.")
    name = serializers.CharField()
    content_type = serializers.CharField()
    size_bytes = serializers.IntegerField()
    sha256 = serializers.CharField()
    job_id = serializers.UUIDField(allow_null=True, help_text="Of the job that made it; null for one that was sent.")
    attempt = serializers.IntegerField(allow_null=True)
    created_by = serializers.CharField(source="created_by.username", allow_null=True, default=None)
    created_at = MomentField()
    expires_at = MomentField(allow_null=True, help_text="When it is deleted; null for one that goes with its job.")
    url = serializers.SerializerMethodField(help_text="Where its bytes are.")

    @extend_schema_field({"type": "string", "format": "uri-reference"})
    def get_url(self, artefact: Artefact) -> str:
        return reverse("api-artefact-content", args=[artefact.pk])


def header(name: str, says: str) -> OpenApiParameter:
    return OpenApiParameter(name, str, OpenApiParameter.HEADER, description=says)


list_sent = listing("list_sent_artefacts", "Files that were sent, the newest first", SentArtefactSerializer, PageQuery)
send = extend_schema(
    operation_id="send_artefact",
    summary="Send a file for jobs to read",
    description="The body is the file. It is kept for some days, and as long again from each job on that names it.",
    parameters=[
        NewArtefactQuery,
        header("Content-Digest", "`sha-256=:…:` (RFC 9530): refused, where what comes here has another."),
    ],
    request={"application/octet-stream": OpenApiTypes.BINARY},
    responses={
        201: SentArtefactSerializer,
        403: OpenApiResponse(
            description="Your role does not allow this, or the organisation's files have no room for it."
        ),
    },
)
get = extend_schema(operation_id="get_sent_artefact", summary="One file", responses={200: SentArtefactSerializer})
remove = extend_schema(
    operation_id="delete_artefact",
    summary="Delete a file that was sent",
    request=None,
    responses={204: None, 409: OpenApiResponse(description="A job made it: it goes with its job.")},
)
content = extend_schema(
    operation_id="download_artefact",
    summary="Download a file",
    description="Whole, or one range of its bytes. Where files are kept in S3, the answer leads there.",
    parameters=[header("Range", "`bytes=0-99`"), header("If-Range", "The ETag you have a part of."), IF_NONE_MATCH],
    responses={
        **BINARY,
        (206, "*/*"): OpenApiTypes.BINARY,
        302: OpenApiResponse(description="Where it is, for a minute."),
        304: OpenApiResponse(description="You have it already."),
        416: OpenApiResponse(description="The file ends before that."),
    },
)
link = extend_schema(
    operation_id="link_artefact",
    summary="Make a link to a file",
    description="It needs no token, and cannot be taken back before its time but by deleting the file.",
    request=NewLinkSerializer,
    responses={201: LinkSerializer},
    examples=[body("For a day", {"seconds": 86_400})],
)
