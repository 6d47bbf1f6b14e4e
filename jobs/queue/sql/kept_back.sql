-- As held.sql; or an act on the job (job) waits that can still be undone.
({{held}} OR EXISTS (SELECT FROM jobs_bulkhold AS act WHERE act.job_id = job.id))
