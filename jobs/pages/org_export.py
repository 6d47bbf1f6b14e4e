"""From the page of an organisation to all that it has."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from jobs.api.org_export import archive_of
from orgs.pages import org_page
from orgs.roles import Action
from orgs.scope import Scope


@org_page(Action.EXPORT_ORG)
def org_export(request: HttpRequest, scope: Scope) -> HttpResponseBase:
    return archive_of(scope, request)
