"""Paths under /api/v1/. Ids are strings here: a malformed one is as unknown as another organisation's."""

from django.urls import path

from jobs.api import (
    artefacts,
    batches,
    bulk,
    catalogue,
    dead_letters,
    history,
    limits,
    platform,
    prediction,
    schedules,
    tasks,
    views,
)

urlpatterns = [
    path("jobs/", views.JobsView.as_view(), name="api-jobs"),
    path("jobs/bulk/", bulk.BulkView.as_view(), name="api-jobs-bulk"),
    path("jobs/replay/", dead_letters.ReplayManyView.as_view(), name="api-jobs-replay"),
    path("jobs/<str:job_id>/", views.JobView.as_view(), name="api-job"),
    path("jobs/<str:job_id>/cancellation/", views.CancellationView.as_view(), name="api-job-cancellation"),
    path("jobs/<str:job_id>/replay/", views.ReplayView.as_view(), name="api-job-replay"),
    path("jobs/<str:job_id>/attempts/", history.AttemptsView.as_view(), name="api-job-attempts"),
    path("jobs/<str:job_id>/transitions/", history.TransitionsView.as_view(), name="api-job-transitions"),
    path("jobs/<str:job_id>/logs/", history.LogsView.as_view(), name="api-job-logs"),
    path("jobs/<str:job_id>/artefacts/", history.ArtefactsView.as_view(), name="api-job-artefacts"),
    path("jobs/<str:job_id>/artefacts/<str:artefact_id>/", history.ArtefactView.as_view(), name="api-job-artefact"),
    path("artefacts/", artefacts.ArtefactsView.as_view(), name="api-artefacts"),
    path("artefacts/<str:artefact_id>/", artefacts.ArtefactView.as_view(), name="api-artefact"),
    path("artefacts/<str:artefact_id>/content/", artefacts.ContentView.as_view(), name="api-artefact-content"),
    path("artefacts/<str:artefact_id>/links/", artefacts.LinksView.as_view(), name="api-artefact-links"),
    path("batches/", batches.BatchesView.as_view(), name="api-batches"),
    path("batches/<str:batch_id>/", batches.BatchView.as_view(), name="api-batch"),
    path(
        "batches/<str:batch_id>/cancellation/",
        batches.BatchCancellationView.as_view(),
        name="api-batch-cancellation",
    ),
    path("dead-letters/", dead_letters.DeadLettersView.as_view(), name="api-dead-letters"),
    path("job-types/", catalogue.JobTypesView.as_view(), name="api-job-types"),
    path("queues/", catalogue.QueuesView.as_view(), name="api-queues"),
    path("queues/<str:name>/pause/", catalogue.PauseView.as_view(), name="api-queue-pause"),
    path("schedules/", schedules.SchedulesView.as_view(), name="api-schedules"),
    path("schedules/<str:schedule_id>/", schedules.ScheduleView.as_view(), name="api-schedule"),
    path("schedules/<str:schedule_id>/run/", schedules.ScheduleRunView.as_view(), name="api-schedule-run"),
    path("schedules/<str:schedule_id>/ticks/", schedules.ScheduleTicksView.as_view(), name="api-schedule-ticks"),
    path("limits/", limits.LimitsView.as_view(), name="api-limits"),
    # the key of a job may have slashes
    path("limits/<str:scope>/<path:name>/", limits.LimitView.as_view(), name="api-limit"),
    path("predict/", prediction.PredictView.as_view(), name="api-predict"),
    path("model/", prediction.ModelView.as_view(), name="api-model"),
    path("tasks/", tasks.TasksView.as_view(), name="api-tasks"),
    path("tasks/<str:task_id>/", tasks.TaskView.as_view(), name="api-task"),
    path("platform/jobs/", platform.PlatformJobsView.as_view(), name="api-platform-jobs"),
]
