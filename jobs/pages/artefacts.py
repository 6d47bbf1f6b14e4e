"""The page of files that people send for jobs to read, and the links that need no sign-in."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from jobs.downloads import LinkExpired, download, found, linked
from jobs.errors import ArtefactNotFound, QueueError
from jobs.handlers.artefact_names import tidied
from jobs.models import Artefact
from jobs.queue import artefacts
from jobs.queue.quotas import file_bytes, file_limit
from orgs.pages import open_page, org_page
from orgs.roles import Action
from orgs.scope import Scope

MOST = 200


class CappedUpload(TemporaryFileUploadHandler):
    """A form's file on the disk, up to what a file may have; a form knows its length only as a whole."""

    # around the file itself
    FORM_BYTES = 10_000

    def handle_raw_input(
        self, input_data: Any, META: Any, content_length: int, boundary: Any, encoding: Any = None
    ) -> None:
        if content_length > settings.ARTEFACT_FILE_MAX_BYTES + self.FORM_BYTES:
            raise RequestDataTooBig(
                _("A file has at most %(most)s bytes.") % {"most": settings.ARTEFACT_FILE_MAX_BYTES}
            )


# Whose file it is and whether he may send one is asked before the form is read, and with it the token against forgery.
@csrf_exempt
@org_page({"GET": Action.READ, "POST": Action.SUBMIT})
def artefact_list(request: HttpRequest, scope: Scope) -> HttpResponseBase:
    """The files that were sent, and a form to send one."""
    if request.method != "POST":
        return shown(request, scope)
    request.upload_handlers = [CappedUpload(request)]
    return taken(request, scope)


@csrf_protect
def taken(request: HttpRequest, scope: Scope) -> HttpResponseBase:
    """A file from the form. Where it cannot be kept, the page says why."""
    upload = request.FILES.get("file")
    if not isinstance(upload, UploadedFile):
        messages.error(request, _("Choose a file to send."))
        return shown(request, scope, status=422)
    try:
        artefact = artefacts.send(
            upload,
            name=tidied(upload.name or ""),
            content_type=upload.content_type,
            size_bytes=upload.size,
            scope=scope,
            request=request,
        )
    except QueueError as error:
        messages.error(request, error.detail)
        return shown(request, scope, status=422)
    said = {"name": artefact.name, "id": artefact.pk}
    messages.success(request, _("%(name)s is here. Jobs name it by its id, %(id)s.") % said)
    return redirect("artefacts")


def shown(request: HttpRequest, scope: Scope, status: int = 200) -> HttpResponse:
    rows = Artefact.objects.for_org(scope.org).sent().kept().select_related("created_by").order_by("-id")
    files = list(rows[: MOST + 1])
    context = {
        "files": files[:MOST],
        "more": len(files) > MOST,
        "used_bytes": file_bytes(scope.org.pk),
        "max_bytes": file_limit(scope.org.pk),
        "file_max_bytes": settings.ARTEFACT_FILE_MAX_BYTES,
        "days": settings.ARTEFACT_SENT_DAYS,
    }
    return render(request, "jobs/artefacts.html", context, status=status)


@org_page(Action.SUBMIT, ("POST",))
def artefact_delete(request: HttpRequest, scope: Scope, artefact_id: UUID) -> HttpResponse:
    """A file that was sent goes at once."""
    try:
        artefacts.remove(artefact_id, scope=scope, request=request)
    except ArtefactNotFound as error:
        raise Http404 from error
    except QueueError as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, _("The file is deleted."))
    return redirect("artefacts")


@org_page(Action.READ)
def artefact_content(request: HttpRequest, scope: Scope, artefact_id: UUID) -> HttpResponseBase:
    """Any file of the organisation, as a download."""
    try:
        return download(request, found(scope.org, scope.role, artefact_id))
    except ArtefactNotFound as error:
        raise Http404 from error


@open_page()
def linked_artefact(request: HttpRequest, word: str) -> HttpResponseBase:
    """Where a signed link leads: the file, for whoever has the link."""
    try:
        response = download(request, linked(word))
    except ArtefactNotFound as error:
        raise Http404 from error
    except LinkExpired:
        return render(request, "jobs/link_expired.html", status=410)
    # the address is the key to it
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex"
    return response
