"""All that an organisation has, as one file."""

from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from jobs.api.base import OrgView
from jobs.api.history import AsItIs
from jobs.exports.archive import Archive, file_name
from orgs import audit, rates, walls
from orgs.permissions import MayActInOrg
from orgs.roles import Action
from orgs.scope import Scope


class OrgExportView(OrgView):
    permission_classes = [MayActInOrg]
    actions = {"GET": Action.EXPORT_ORG}
    content_negotiation_class = AsItIs

    @extend_schema(
        operation_id="export_org",
        summary="All that the organisation has, as one file",
        description="A ZIP file: the rows of each table as JSON lines, from one moment, the files themselves under "
        "`artefacts/`, and what is in it in `README.json`, which comes last: a file without one broke off. "
        "Never in it: values of secrets, hashes of keys, signing secrets. Two an hour for each organisation.",
        responses={(200, "application/zip"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, slug: str) -> HttpResponseBase:
        return archive_of(self.scope, request._request)


def archive_of(scope: Scope, request: HttpRequest) -> StreamingHttpResponse:
    """Streamed; that it was taken is in the trail before its first byte."""
    rates.exporting(request, scope.org.pk)
    audit.record("org.export", org=scope.org, actor=scope.user, target=scope.org.slug, request=request)
    pieces = walls.carried(Archive(scope.org).pieces())
    response = StreamingHttpResponse(pieces, content_type="application/zip")
    response["Content-Disposition"] = f'attachment; filename="{file_name(scope.org)}"'
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "no-store"
    return response
