"""Files that people send for jobs to read; and any file of the organisation, by its id."""

import base64
import binascii
import re
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.api import artefact_docs as docs
from jobs.api.artefact_docs import LinkSerializer, NewArtefactQuery, NewLinkSerializer, SentArtefactSerializer
from jobs.api.base import OrgView, parsed_id
from jobs.api.filters import PageQuery
from jobs.api.history import AsItIs
from jobs.api.paging import key_page, page_response
from jobs.downloads import download, found
from jobs.errors import CutOff, InvalidArtefact
from jobs.models import Artefact
from jobs.queue import artefacts
from orgs.roles import Action

# RFC 9530, and the header it took the place of.
DIGESTS = {
    "Content-Digest": re.compile(r"(?:^|,)\s*sha-256=:([A-Za-z0-9+/=]*):", re.IGNORECASE),
    "Digest": re.compile(r"(?:^|,)\s*sha-256=([A-Za-z0-9+/=]*)", re.IGNORECASE),
}


class Body:
    """The bytes of a request as they come, none kept. Raises CutOff."""

    def __init__(self, request: HttpRequest) -> None:
        chunked = request.META.get("HTTP_TRANSFER_ENCODING") and not request.META.get("CONTENT_LENGTH")
        # Django itself takes a body of no known length for none; the server says where it ends
        self.source: Any = request.META["wsgi.input"] if chunked else request
        self.size_bytes = None if chunked else int(request.META.get("CONTENT_LENGTH") or 0)

    def read(self, size: int = -1) -> bytes:
        try:
            return bytes(self.source.read(size))
        except Exception as error:
            # of the server's own many kinds
            raise CutOff from error


def said_sha256(request: Request) -> str | None:
    """What the sender says the SHA-256 is, in hex. Raises InvalidArtefact."""
    for header, pattern in DIGESTS.items():
        if said := pattern.search(request.headers.get(header, "")):
            try:
                digest = base64.b64decode(said[1], validate=True)
            except binascii.Error:
                digest = b""
            if len(digest) != 32:
                raise InvalidArtefact([(f"/{header}", "A SHA-256 is 32 bytes in base64.")])
            return digest.hex()
    return None


class ArtefactsView(OrgView):
    actions = {"GET": Action.READ, "POST": Action.SUBMIT}

    @docs.list_sent
    def get(self, request: Request) -> Response:
        asked = PageQuery.asked(request)
        rows = Artefact.objects.for_org(self.scope.org).sent().kept().select_related("created_by")
        return page_response(
            request, *key_page(rows, "-id", limit=asked["limit"], cursor=asked["cursor"]), SentArtefactSerializer
        )

    @docs.send
    def post(self, request: Request) -> Response:
        asked = NewArtefactQuery.asked(request)
        content_type = request.headers.get("Content-Type", "")
        if content_type.lower().startswith("multipart/"):
            raise InvalidArtefact([("/Content-Type", "Send the bytes of the file themselves, not a form with it.")])
        body = Body(request._request)
        artefact = artefacts.send(
            body,
            name=asked["name"],
            # what curl says where it was told nothing
            content_type="" if content_type == "application/x-www-form-urlencoded" else content_type,
            size_bytes=body.size_bytes,
            sha256=said_sha256(request),
            scope=self.scope,
            request=request._request,
        )
        location = reverse("api-artefact", args=[artefact.pk])
        return Response(SentArtefactSerializer(artefact).data, status=201, headers={"Location": location})


class ArtefactView(OrgView):
    actions = {"GET": Action.READ, "DELETE": Action.SUBMIT}

    @docs.get
    def get(self, request: Request, artefact_id: str) -> Response:
        return Response(SentArtefactSerializer(found(self.scope.org, self.scope.role, parsed_id(artefact_id))).data)

    @docs.remove
    def delete(self, request: Request, artefact_id: str) -> Response:
        artefacts.remove(parsed_id(artefact_id), scope=self.scope, request=request._request)
        return Response(status=204)


class ContentView(OrgView):
    actions = {"GET": Action.READ}
    content_negotiation_class = AsItIs

    @docs.content
    def get(self, request: Request, artefact_id: str) -> HttpResponseBase:
        return download(request._request, found(self.scope.org, self.scope.role, parsed_id(artefact_id)))


class LinksView(OrgView):
    actions = {"POST": Action.SUBMIT}

    @docs.link
    def post(self, request: Request, artefact_id: str) -> Response:
        seconds = NewLinkSerializer.read(request)["seconds"]
        word, until = artefacts.link(parsed_id(artefact_id), seconds, scope=self.scope, request=request._request)
        url = request.build_absolute_uri(reverse("linked_artefact", args=[word]))
        return Response(LinkSerializer({"url": url, "expires_at": until}).data, status=201)
