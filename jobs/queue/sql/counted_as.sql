-- What a limit (limited) counts a job (job) as: each key by itself, all others together.
CASE limited.scope WHEN 'key' THEN job.limit_key ELSE '' END
