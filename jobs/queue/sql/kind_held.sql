-- Whether a job (job) that is put in order is held back because its kind is paused: its type, or its type and name.
EXISTS (SELECT FROM jobs_pause AS kind
        WHERE kind.org_id = job.org_id AND kind.type = job.type AND kind.name IN ('', job.name))
