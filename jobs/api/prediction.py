"""What a job would take, and how well that is known."""

from rest_framework.request import Request
from rest_framework.response import Response

from jobs.api import docs
from jobs.api.base import OrgView
from jobs.api.serializers import NewJobSerializer, new_job
from jobs.api.shapes import ForecastSerializer
from jobs.queue.enqueue import refusal
from jobs.queue.forecast import forecast
from orgs.roles import Action


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
