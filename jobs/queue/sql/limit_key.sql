-- What a job (job) that is put in order is to have as limit_key: its key, or empty without one, when a limit is about
-- it; else null.
CASE WHEN EXISTS (SELECT FROM jobs_limit AS limited WHERE {{applies}}) THEN coalesce(job.limit_key, '') END
