-- Whether a job (job) that is put in order is to be held back: its queue is paused.
EXISTS (SELECT FROM jobs_queue AS paused
        WHERE paused.org_id = job.org_id AND paused.name = job.queue AND paused.paused_at IS NOT NULL)
