-- What each rule of an organisation at work measures now: measured (id, value, told). Each reads a bounded part of the
-- organisation's rows, through an index.
active_rule AS MATERIALIZED (
    SELECT rule.* FROM jobs_alertrule AS rule
    JOIN orgs_org AS org ON org.id = rule.org_id
    WHERE NOT rule.is_paused AND NOT {{halted}}
), measured AS MATERIALIZED (
    SELECT rule.id, found.value, '' AS told
    FROM active_rule AS rule
    CROSS JOIN LATERAL (
        SELECT count(*)::float8 AS value FROM (
            SELECT FROM jobs_job AS job
            WHERE job.org_id = rule.org_id
              AND job.failed_at > statement_timestamp() - make_interval(secs => rule.window_seconds)
              AND (rule.queue = '' OR job.queue = rule.queue)
            LIMIT %(bound)s) AS dead
    ) AS found
    WHERE rule.kind = 'dead_letters'
    UNION ALL
    SELECT rule.id, coalesce(found.value, 0), coalesce(found.queue, '')
    FROM active_rule AS rule
    LEFT JOIN LATERAL (
        SELECT extract(epoch FROM statement_timestamp() - oldest.queued_at)::float8 AS value, oldest.queue
        FROM (SELECT queue, queued_at, held FROM jobs_ready
              WHERE org_id = rule.org_id ORDER BY queued_at LIMIT %(bound)s) AS oldest
        WHERE NOT oldest.held AND (rule.queue = '' OR oldest.queue = rule.queue)
        ORDER BY oldest.queued_at
        LIMIT 1
    ) AS found ON true
    WHERE rule.kind = 'latency'
    UNION ALL
    SELECT rule.id, coalesce(found.value, 0), coalesce(found.queues, '')
    FROM active_rule AS rule
    CROSS JOIN LATERAL (
        SELECT extract(epoch FROM statement_timestamp() - min(waiting.since))::float8 AS value,
               string_agg(DISTINCT waiting.queue, ', ') AS queues
        FROM (
            SELECT oldest.queue, oldest.type, min(oldest.queued_at) AS since
            FROM (SELECT queue, type, queued_at, held FROM jobs_ready
                  WHERE org_id = rule.org_id ORDER BY queued_at LIMIT %(bound)s) AS oldest
            WHERE NOT oldest.held AND (rule.queue = '' OR oldest.queue = rule.queue)
            GROUP BY oldest.queue, oldest.type
        ) AS waiting
        WHERE NOT EXISTS (
            SELECT FROM jobs_workerprocess AS worker
            WHERE worker.kind = 'worker' AND worker.status = 'online'
              AND (worker.org_id IS NULL OR worker.org_id = rule.org_id)
              AND worker.beat_at > clock_timestamp() - make_interval(secs => %(dead_seconds)s)
              AND (worker.queues ? waiting.queue OR worker.queues ? '*') AND worker.types ? waiting.type)
    ) AS found
    WHERE rule.kind = 'no_worker'
    UNION ALL
    SELECT rule.id, found.value, coalesce(found.names, '')
    FROM active_rule AS rule
    CROSS JOIN LATERAL (
        SELECT count(*)::float8 AS value, string_agg(DISTINCT missed.name, ', ') AS names
        FROM (
            SELECT schedule.name
            FROM jobs_schedule AS schedule
            CROSS JOIN LATERAL (
                -- as many as the constraint's index has of that time
                SELECT FROM jobs_scheduletick AS tick
                WHERE tick.schedule_id = schedule.id AND tick.outcome <> 'fired'
                  AND tick.at > statement_timestamp() - make_interval(secs => rule.window_seconds)
                LIMIT %(bound)s
            ) AS tick
            WHERE schedule.org_id = rule.org_id
            UNION ALL
            SELECT schedule.name FROM jobs_schedule AS schedule
            WHERE schedule.org_id = rule.org_id
              AND schedule.next_at < statement_timestamp() - make_interval(secs => %(late_seconds)s)
        ) AS missed
    ) AS found
    WHERE rule.kind = 'cron_missed'
    UNION ALL
    SELECT rule.id, CASE WHEN found.ended < %(least)s THEN 0 ELSE 100.0 * found.failed / found.ended END,
           found.failed || ' of ' || found.ended
    FROM active_rule AS rule
    CROSS JOIN LATERAL (
        SELECT count(*) AS ended, count(*) FILTER (WHERE newest.outcome <> 'done') AS failed
        FROM (
            SELECT attempt.outcome FROM jobs_attempt AS attempt
            WHERE attempt.org_id = rule.org_id
              AND attempt.ended_at > statement_timestamp() - make_interval(secs => rule.window_seconds)
              AND attempt.outcome NOT IN ('cancelled', 'released')
              AND (rule.queue = ''
                   OR (SELECT job.queue FROM jobs_job AS job WHERE job.id = attempt.job_id) = rule.queue)
            ORDER BY attempt.ended_at DESC
            LIMIT %(bound)s) AS newest
    ) AS found
    WHERE rule.kind = 'error_rate'
)
