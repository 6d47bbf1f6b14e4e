"""Whether a job has changed, told without reading it."""

from collections.abc import Collection
from uuid import UUID

from jobs.queue import sql


def marks(job_ids: Collection[UUID]) -> dict[UUID, str]:
    """A word for each job that there is; another one whenever something that is shown of it has changed."""
    return dict(sql.rows("job_marks", job_ids=list(job_ids)))
