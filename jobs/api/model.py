"""The model that predicts: how it does, and which of its versions is in use."""

from rest_framework.request import Request
from rest_framework.response import Response

from jobs.api import model_docs as docs
from jobs.api.base import OrgView
from jobs.api.model_shapes import ModelSerializer, ModelVersionSerializer
from jobs.errors import ModelNotFound
from jobs.learning import health, shown_versions
from jobs.models import ModelVersion
from jobs.queue.forecast import start_errors
from jobs.queue.versions import promote, rollback
from orgs.models import Org
from orgs.roles import Action

# How many of the trained models are shown.
VERSIONS = 20


class ModelView(OrgView):
    actions = {"GET": Action.READ}

    @docs.get_model
    def get(self, request: Request) -> Response:
        known = health(self.scope.org)
        versions = shown_versions(ModelVersion.objects.for_org(self.scope.org).order_by("-version")[:VERSIONS])
        shown = {"health": known, "versions": versions, "starts": start_errors(self.scope.org)}
        return Response(ModelSerializer(shown).data)


class PromoteView(OrgView):
    actions = {"POST": Action.MANAGE_MODEL}

    @docs.promote_model
    def post(self, request: Request, version: str) -> Response:
        number = int(version) if version.isascii() and version.isdecimal() and len(version) < 10 else None
        if number is None:
            raise ModelNotFound
        promote(number, scope=self.scope, request=request._request)
        return in_use(self.scope.org, number)


class RollbackView(OrgView):
    actions = {"POST": Action.MANAGE_MODEL}

    @docs.rollback_model
    def post(self, request: Request) -> Response:
        version = rollback(scope=self.scope, request=request._request)
        return in_use(self.scope.org, version)


def in_use(org: Org, version: int) -> Response:
    (row,) = shown_versions(ModelVersion.objects.for_org(org).filter(version=version))
    return Response(ModelVersionSerializer(row).data)
