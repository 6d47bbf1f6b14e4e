"""What a job would take, and how well that is known."""

from rest_framework.request import Request
from rest_framework.response import Response

from jobs.active_model import current_model
from jobs.api import docs
from jobs.api.base import OrgView
from jobs.api.serializers import NewJobSerializer, new_job
from jobs.api.shapes import ACTIVE, BROKEN, NONE, ForecastSerializer, ModelSerializer
from jobs.models import ModelVersion
from jobs.queue.enqueue import refusal
from jobs.queue.forecast import forecast, start_errors
from orgs.roles import Action

# How many of the trained models are shown.
VERSIONS = 20


class PredictView(OrgView):
    actions = {"POST": Action.READ}

    @docs.predict
    def post(self, request: Request) -> Response:
        """Refuses what a submit would refuse, and stores nothing."""
        new = new_job(NewJobSerializer.read(request))
        scope = self.scope
        if error := refusal(new, scope.org, scope.role):
            raise error
        return Response(ForecastSerializer(forecast(scope.org, new, scope.user)).data)


class ModelView(OrgView):
    actions = {"GET": Action.READ}

    @docs.get_model
    def get(self, request: Request) -> Response:
        rows = ModelVersion.objects.for_org(self.scope.org).defer("weights")
        active = rows.filter(active=True).first()
        versions = rows.order_by("-version")[:VERSIONS]
        state = NONE if active is None else ACTIVE if current_model(self.scope.org) else BROKEN
        shown = {"state": state, "active": active, "versions": versions, "starts": start_errors(self.scope.org)}
        return Response(ModelSerializer(shown).data)
