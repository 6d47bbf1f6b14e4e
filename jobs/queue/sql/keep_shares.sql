-- Set the leads of the organisations in a queue to what they have truly put in and not yet had: what waits and what is left
-- of what runs, as long as their runs of late were beside what was predicted. A bounded part of the backlog is read, those that come first;
-- the rest of an organisation's is taken from its counts, each job as its usual one.
WITH {{waiting_work}}, seen AS (
    SELECT org_id, count(*) AS jobs, sum(predicted_ms) AS ms FROM work GROUP BY org_id
), running AS (
    SELECT org_id, sum(greatest(predicted_ms - date_part('epoch', clock_timestamp() - leased_at) * 1000, 0)) AS ms
    FROM jobs_lease
    WHERE queue = %(queue)s
    GROUP BY org_id
), present AS MATERIALIZED (
    SELECT org_id, coalesce(seen.jobs, 0) AS jobs, coalesce(seen.ms, 0) AS waiting_ms, coalesce(running.ms, 0) AS running_ms
    FROM seen FULL JOIN running USING (org_id)
), whole AS MATERIALIZED (
    -- who has been kept waiting shares the queue with all who have anything in it
    SELECT greatest((SELECT sum(slots) FROM jobs_workerprocess
                     WHERE kind = 'worker' AND status = 'online' AND org_id IS NULL
                       AND (queues ? %(queue)s OR queues ? '*')), 1) AS slots,
           (SELECT sum(org.weight) FROM orgs_org AS org WHERE org.id IN (SELECT org_id FROM present)) AS weights
), kept AS MATERIALIZED (
    SELECT share.id, share.org_id, share.queue, exp(share.mean_log_ms) AS typical_ms, org.weight
    FROM jobs_queueshare AS share
    JOIN orgs_org AS org ON org.id = share.org_id
    WHERE share.queue = %(queue)s
      AND (share.lead_until > clock_timestamp() OR share.org_id IN (SELECT org_id FROM present))
    ORDER BY share.org_id
    LIMIT %(orgs)s
    FOR UPDATE OF share SKIP LOCKED
), judged AS MATERIALIZED (
    SELECT kept.id,
           -- who has nothing there yet shares it with those who have
           whole.slots * kept.weight / greatest(
               whole.weights + CASE WHEN present.org_id IS NULL THEN kept.weight ELSE 0 END, kept.weight)
           -- what runs longer than predicted is more work than it seems
           / least(greatest(coalesce(ended.actual_ms / nullif(ended.predicted_ms, 0), 1), %(shorter)s), %(longer)s) AS rate,
           coalesce(present.waiting_ms, 0) + coalesce(present.running_ms, 0)
           + greatest(counted.jobs - coalesce(present.jobs, 0), 0) * kept.typical_ms AS outstanding_ms
    FROM kept
    CROSS JOIN whole
    LEFT JOIN present ON present.org_id = kept.org_id
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(jobs), 0) AS jobs
        FROM (SELECT jobs FROM jobs_statuscount
              WHERE org_id = kept.org_id AND queue = kept.queue AND status = 'queued'
              UNION ALL
              SELECT jobs FROM jobs_statusdelta
              WHERE org_id = kept.org_id AND queue = kept.queue AND status = 'queued') AS changes
    ) AS counted
    CROSS JOIN LATERAL (
        SELECT sum(runtime_ms) AS actual_ms, sum(predicted_ms) AS predicted_ms
        FROM (SELECT runtime_ms, predicted_ms FROM jobs_attempt
              WHERE org_id = kept.org_id
              ORDER BY ended_at DESC
              LIMIT %(ends)s) AS newest
    ) AS ended
)
UPDATE jobs_queueshare AS share
SET rate = judged.rate,
    lead_until = clock_timestamp() + make_interval(secs => judged.outstanding_ms / 1000 / judged.rate),
    looked_at = clock_timestamp()
FROM judged
WHERE share.id = judged.id
RETURNING share.org_id
