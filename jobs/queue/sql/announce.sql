-- One delivery for each subscriber of each job that has ended (news).
INSERT INTO jobs_delivery (
    id, subscriber_id, org_id, event, job_id, correlation_id, data, status, attempt, attempts_before, next_at,
    response_body, error, created_at
)
SELECT {{uuid7}}, told_to.id, job.org_id, 'job.' || job.status, job.id, job.event ->> 'correlation_id',
       jsonb_build_object('job', job.event), 'pending', 0, 0, clock_timestamp(), '', '', clock_timestamp()
FROM news AS job
CROSS JOIN LATERAL (
    SELECT subscriber.id FROM jobs_subscriber AS subscriber WHERE {{heard}} OFFSET 0
) AS told_to
