"""Paths of the pages about jobs."""

from django.urls import path

from jobs.pages import actions, artefacts, classifier, dead_letters, exports, job, job_settings, lists, queues, submit

urlpatterns = [
    path("jobs/", lists.job_list, name="jobs"),
    path("jobs/submit/", submit.submit, name="submit"),
    path("jobs/submit/task/", submit.task_fragment, name="task_fragment"),
    path("jobs/export/", exports.export_jobs, name="export_jobs"),
    path("jobs/forecast/", submit.forecast_fragment, name="forecast"),
    path("jobs/cancellations/", actions.cancellations, name="cancellations"),
    path("jobs/replays/", actions.replays, name="replays"),
    path("jobs/<uuid:job_id>/cancellation/", actions.cancellation, name="cancellation"),
    path("jobs/<uuid:job_id>/classification/", classifier.correction, name="correction"),
    path("jobs/<uuid:job_id>/replay/", actions.job_replay, name="job_replay"),
    path("jobs/<uuid:job_id>/", job.job_page, name="job"),
    path("jobs/<uuid:job_id>/result/", job.job_result, name="job_result"),
    path("jobs/<uuid:job_id>/log/<int:attempt>/", job.job_log, name="job_log"),
    path("jobs/<uuid:job_id>/artefacts/<uuid:artefact_id>/", job.artefact, name="artefact"),
    path("artefacts/", artefacts.artefact_list, name="artefacts"),
    path("artefacts/<uuid:artefact_id>/content/", artefacts.artefact_content, name="artefact_content"),
    path("artefacts/<uuid:artefact_id>/deletion/", artefacts.artefact_delete, name="artefact_delete"),
    path("artefacts/<str:word>/", artefacts.linked_artefact, name="linked_artefact"),
    path("classifier/", classifier.classifier_page, name="classifier"),
    path("classifier/categories/", classifier.categories, name="categories"),
    path("job-settings/", job_settings.change, name="job_settings"),
    path("dead-letters/", dead_letters.dead_letters, name="dead_letters"),
    path("dead-letters/export/", exports.export_dead_letters, name="export_dead_letters"),
    path("dead-letters/replay/", dead_letters.replay_all, name="replay_all"),
    path("queues/", queues.queue_list, name="queues"),
    path("queues/<slug:name>/pause/", queues.queue_pause, name="queue_pause"),
    path("queues/<slug:name>/resume/", queues.queue_resume, name="queue_resume"),
]
