-- How the deployment does, over all organisations, in numbers that cost about the same whatever waits.
WITH RECURSIVE {{addressees}}, busy AS MATERIALIZED (
    SELECT org_id
    FROM (SELECT org_id, status, jobs FROM jobs_statuscount UNION ALL SELECT org_id, status, jobs FROM jobs_statusdelta)
        AS counted
    WHERE status = 'queued'
    GROUP BY org_id
    HAVING sum(jobs) > 0
), process AS MATERIALIZED (
    SELECT kind, slots FROM jobs_workerprocess
    WHERE org_id IS NULL AND status = 'online'
      AND beat_at > clock_timestamp() - make_interval(secs => %(dead_seconds)s)
)
SELECT
    -- Of jobs that workers of the deployment may take at once: one with a limit waits by the wish of its organisation.
    (SELECT extract(epoch FROM clock_timestamp() - min(oldest.queued_at))
     FROM busy
     CROSS JOIN LATERAL (
         SELECT queued_at
         FROM (SELECT queued_at, held, limit_key, type FROM jobs_ready
               WHERE org_id = busy.org_id ORDER BY queued_at LIMIT %(bound)s) AS first
         WHERE NOT held AND limit_key IS NULL AND type <> 'external'
         ORDER BY queued_at
         LIMIT 1
     ) AS oldest)::float8 AS oldest_waiting_seconds,
    (SELECT count(*) FROM process WHERE kind = 'worker') AS workers,
    (SELECT count(*) FROM process WHERE kind = 'scheduler') AS schedulers,
    (SELECT count(*) FROM process WHERE kind = 'watchdog') AS watchdogs,
    (SELECT coalesce(sum(slots), 0) FROM process WHERE kind = 'worker')::bigint AS slots,
    (SELECT count(*) FROM jobs_lease WHERE type <> 'external') AS busy_slots,
    (SELECT count(*) FROM jobs_leaderterm
     WHERE ended_at IS NULL AND beat_at > clock_timestamp() - make_interval(secs => %(stale_seconds)s)) AS leaders,
    (SELECT max(epoch) FROM jobs_leaderterm) AS terms,
    (SELECT extract(epoch FROM clock_timestamp() - min(due_at)) FROM jobs_job WHERE due_at <= statement_timestamp())::float8
        AS promotion_lag_seconds,
    (SELECT extract(epoch FROM clock_timestamp() - min(late.next_at))
     FROM (SELECT next_at FROM jobs_schedule
           WHERE next_at <= statement_timestamp() AND NOT coalesce(org_id = ANY ({{halted_orgs}}), false)
           ORDER BY next_at LIMIT 1) AS late)::float8 AS schedule_lag_seconds,
    (SELECT extract(epoch FROM clock_timestamp() - min(first.next_at))
     FROM waiting
     JOIN jobs_subscriber AS webhook ON webhook.id = waiting.subscriber_id AND webhook.active AND webhook.kind = 'webhook'
     CROSS JOIN LATERAL (
         SELECT next_at FROM jobs_delivery
         WHERE subscriber_id = webhook.id AND next_at <= statement_timestamp()
         ORDER BY next_at LIMIT 1
     ) AS first
     WHERE NOT coalesce(webhook.org_id = ANY ({{halted_orgs}}), false))::float8 AS delivery_lag_seconds,
    -- that have what could not be delivered, and is to be tried again
    (SELECT count(*)
     FROM waiting
     JOIN jobs_subscriber AS webhook ON webhook.id = waiting.subscriber_id AND webhook.active AND webhook.kind = 'webhook'
     CROSS JOIN LATERAL (
         SELECT attempt, response_status, error
         FROM jobs_delivery WHERE subscriber_id = webhook.id AND next_at IS NOT NULL ORDER BY next_at LIMIT 1
     ) AS first
     WHERE first.attempt > 0 AND (first.response_status IS NOT NULL OR first.error <> '')) AS webhooks_failing,
    (SELECT count(*) FROM jobs_subscriber WHERE kind = 'webhook' AND NOT active AND disabled_reason <> '')
        AS webhooks_disabled,
    pg_database_size(current_database()) AS database_bytes
