"""The same jobs in the words of older clients: {type, payload} in; PENDING, PROCESSING, COMPLETED or FAILED out."""

from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.api import docs
from jobs.api.base import OrgView, idempotency_key, listed
from jobs.api.filters import TaskQuery, filters
from jobs.api.paging import job_page
from jobs.api.serializers import NewTaskSerializer, TaskSerializer, TaskSummarySerializer, new_job
from jobs.api.views import submit, submitted
from jobs.listing import narrowed
from jobs.models import Job
from orgs.roles import Action


class TasksView(OrgView):
    actions = {"GET": Action.READ, "POST": Action.SUBMIT}
    submits = True

    @docs.submit_task
    def post(self, request: Request) -> Response:
        found = submit(self, new_job(NewTaskSerializer.read(request), idempotency_key(request)))
        return submitted(found, TaskSerializer(self.stored(found)).data, reverse("api-task", args=[found.job_id]))

    @docs.list_tasks
    def get(self, request: Request) -> Response:
        asked = TaskQuery.asked(request)
        jobs = narrowed(listed(Job.objects.for_org(self.scope.org)), filters(asked))
        return job_page(request, jobs, asked, TaskSummarySerializer)


class TaskView(OrgView):
    actions = {"GET": Action.READ}

    @docs.get_task
    def get(self, request: Request, task_id: str) -> Response:
        return Response(TaskSerializer(self.job(task_id)).data)
