-- Set the leads of the organisations in a queue to what they have truly put in and not yet had: what waits, what is left
-- of what runs, and what has run longer than predicted. A bounded part of the backlog is read, those that come first;
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
    SELECT share.*, org.weight, coalesce(queue.policy, '') AS policy,
           least(greatest(date_part('epoch', clock_timestamp() - share.looked_at), 0), %(most_seconds)s) AS seconds
    FROM jobs_queueshare AS share
    JOIN orgs_org AS org ON org.id = share.org_id
    LEFT JOIN jobs_queue AS queue ON queue.org_id = share.org_id AND queue.name = share.queue
    WHERE share.queue = %(queue)s
      AND (share.lead_until > clock_timestamp() OR share.overrun_ms > 0 OR share.tau_seconds > %(tau_min)s
           OR share.org_id IN (SELECT org_id FROM present))
    ORDER BY share.org_id
    LIMIT %(orgs)s
    FOR UPDATE OF share SKIP LOCKED
), judged AS MATERIALIZED (
    SELECT kept.id, kept.policy, kept.seconds, kept.tau_seconds, kept.mean_lead_seconds, kept.mean_log_ms,
           greatest(whole.slots * kept.weight / greatest(
               whole.weights + CASE WHEN present.org_id IS NULL THEN kept.weight ELSE 0 END, kept.weight), 0.001) AS rate,
           kept.lead_until, kept.overrun_ms + coalesce(ended.ms, 0) AS overrun_ms,
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
        SELECT sum(newest.runtime_ms - newest.predicted_ms) AS ms
        FROM (SELECT job_id, runtime_ms, predicted_ms FROM jobs_attempt
              WHERE org_id = kept.org_id
                AND ended_at > greatest(kept.looked_at, clock_timestamp() - make_interval(secs => %(most_seconds)s))
              ORDER BY ended_at DESC
              LIMIT %(ends)s) AS newest
        JOIN jobs_job AS job ON job.id = newest.job_id AND job.queue = kept.queue
    ) AS ended
), tuned AS MATERIALIZED (
    SELECT *,
           -- made good at its rate, and never more than its jobs could be put back by anyway
           least(greatest(overrun_ms - rate * seconds * 1000, 0), rate * %(span)s * tau_seconds * 1000) AS left_ms,
           -- of one that has put in nothing more the mean goes back to nothing
           CASE WHEN outstanding_ms > 0 THEN mean_lead_seconds
                ELSE mean_lead_seconds * exp(-seconds / %(forget_seconds)s) END AS lead_mean,
           outstanding_ms / 1000 / rate AS lead_seconds,
           date_part('epoch', lead_until - clock_timestamp()) AS said_seconds
    FROM judged
)
UPDATE jobs_queueshare AS share
SET rate = CASE WHEN fifo AND said_seconds > lead_seconds AND lead_seconds > 0
                -- its start tags may not go back: the next ones follow each other more closely instead
                THEN tuned.rate * least(said_seconds / lead_seconds, 10) ELSE tuned.rate END,
    lead_until = greatest(
        clock_timestamp() + make_interval(secs => lead_seconds + left_ms / 1000 / tuned.rate),
        CASE WHEN fifo AND outstanding_ms > 0 THEN tuned.lead_until END),
    overrun_ms = left_ms,
    mean_lead_seconds = lead_mean,
    tau_seconds = CASE WHEN fifo THEN tuned.tau_seconds ELSE
        -- slowly: within a tenth a second
        least(greatest(%(kappa)s * lead_mean, tuned.tau_seconds * power(0.9, seconds), %(tau_min)s),
              tuned.tau_seconds * power(1.1, seconds), %(tau_max)s) END,
    typical_ms = CASE WHEN fifo THEN share.typical_ms ELSE exp(tuned.mean_log_ms) END,
    looked_at = clock_timestamp()
FROM tuned
CROSS JOIN LATERAL (SELECT coalesce(nullif(tuned.policy, ''), %(policy)s) = 'fifo' AS fifo) AS order_of
WHERE share.id = tuned.id
RETURNING share.org_id
