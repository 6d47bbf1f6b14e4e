"""Jobs that are out of attempts or failed for good: look through them, and send them back."""

from typing import Any

from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.api import docs
from jobs.api.base import OrgView, listed
from jobs.api.filters import DeadLetterQuery, filters
from jobs.api.paging import job_page
from jobs.api.shapes import DeadLetterSerializer, ReplayManySerializer
from jobs.listing import Finder, narrowed
from jobs.models import Job, JobQuerySet
from jobs.queue import control
from orgs.roles import Action


class DeadLettersView(OrgView):
    actions = {"GET": Action.READ}

    @docs.list_dead_letters
    def get(self, request: Request) -> Response:
        asked = {**DeadLetterQuery.asked(request), "sort": "-failed"}
        wanted = filters(asked)
        jobs = narrowed(listed(Job.objects.for_org(self.scope.org).dead_letters()), wanted)
        return job_page(request, jobs, asked, DeadLetterSerializer, Finder(self.scope.org.pk, wanted))


class ReplayManyView(OrgView):
    actions = {"POST": Action.REPLAY}

    @docs.replay_many
    def post(self, request: Request) -> Response:
        sent = ReplayManySerializer.read(request)
        if "ids" in sent:
            done = control.replay_many(sent["ids"], scope=self.scope, request=request._request)
            return Response({"replayed": len(done.ids), "refused": len(done.refused), "more": False})
        dead = Job.objects.for_org(self.scope.org).dead_letters()
        return Response(self.replay_all(narrowed(dead, filters(sent["filter"])), request))

    def replay_all(self, dead: JobQuerySet, request: Request) -> dict[str, Any]:
        """Batch by batch, each its own transaction, up to REPLAY_MAX_JOBS, and no further than there is room.

        In the order of ids, so that a job which fails again at once is not sent back for ever.
        """
        replayed = 0
        last = None
        while replayed < settings.REPLAY_MAX_JOBS:
            batch = min(control.REPLAY_BATCH, settings.REPLAY_MAX_JOBS - replayed)
            after = dead.filter(pk__gt=last) if last else dead
            ids = list(after.order_by("pk").values_list("pk", flat=True)[:batch])
            if not ids:
                return {"replayed": replayed, "refused": 0, "more": False}
            done = control.replay_many(ids, scope=self.scope, request=request._request)
            replayed += len(done.ids)
            if done.refused:
                return {"replayed": replayed, "refused": len(done.refused), "more": False}
            last = ids[-1]
        return {"replayed": replayed, "refused": 0, "more": dead.filter(pk__gt=last).exists()}
