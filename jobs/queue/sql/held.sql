-- Whether a job (job) that is put in order is to be held back: its queue or its kind is paused, or nothing of its
-- organisation begins.
(EXISTS (SELECT FROM jobs_queue AS paused
         WHERE paused.org_id = job.org_id AND paused.name = job.queue AND paused.paused_at IS NOT NULL)
 OR EXISTS (SELECT FROM orgs_org AS org WHERE org.id = job.org_id AND {{stopped}})
 OR {{kind_held}})
