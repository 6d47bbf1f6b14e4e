"""Which version of the model is in use, changed by one click."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from jobs.errors import IllegalMove, ModelNotFound
from jobs.queue.versions import promote, rollback
from orgs.pages import org_page
from orgs.roles import Action
from orgs.scope import Scope


@org_page(Action.MANAGE_MODEL, methods=("POST",))
def model_promote(request: HttpRequest, scope: Scope, version: int) -> HttpResponse:
    """This version predicts from now on."""
    try:
        promote(version, scope=scope, request=request)
    except ModelNotFound as error:
        raise Http404 from error
    except IllegalMove as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, _("Version %(version)s is in use, everywhere within seconds.") % {"version": version})
    return redirect("model")


@org_page(Action.MANAGE_MODEL, methods=("POST",))
def model_rollback(request: HttpRequest, scope: Scope) -> HttpResponse:
    """The version in use before predicts again."""
    try:
        version = rollback(scope=scope, request=request)
    except IllegalMove as error:
        messages.error(request, error.detail)
    else:
        messages.success(
            request, _("Version %(version)s is in use again, everywhere within seconds.") % {"version": version}
        )
    return redirect("model")
