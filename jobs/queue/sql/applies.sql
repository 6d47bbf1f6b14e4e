-- Whether a limit (limited) is about a job (job), by organisation, queue, type and key. A few names are looked up in
-- the index limit_uniq; which of them means what is then told by the scope.
limited.org_id = job.org_id AND limited.name = ANY (ARRAY['*', job.queue, job.type, job.limit_key])
AND CASE limited.scope
        WHEN 'org' THEN true
        WHEN 'queue' THEN limited.name = job.queue
        WHEN 'type' THEN limited.name = job.type
        ELSE limited.name = job.limit_key
             -- a key without a limit of its own
             OR limited.name = '*' AND job.limit_key <> '' AND NOT EXISTS (
                 SELECT FROM jobs_limit AS own
                 WHERE own.org_id = job.org_id AND own.name = job.limit_key AND own.scope = 'key')
    END
