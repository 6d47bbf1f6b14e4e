"""The leader's part of searching, as tests do it: now, and for all there is."""

from django.db.models.functions import Now

from jobs.models import Follower, Job
from jobs.search.index import index


def index_all() -> None:
    """Every job has its words, and lists take all that was created up to now for followed."""
    index(list(Job.objects.values_list("pk", flat=True)))
    Follower.objects.update_or_create(name="jobs", defaults={"done_at": Now()})
