-- Whether a subscriber (subscriber) is to be told that a job (job) has come to its status.
subscriber.org_id = job.org_id AND subscriber.active AND 'job.' || job.status = ANY (subscriber.events)
AND (subscriber.types IS NULL OR job.type = ANY (subscriber.types))
