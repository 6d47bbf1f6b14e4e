-- Write down how much work waits in a queue before which rank, how much comes in of late, and who works it off, for
-- whoever asks when a job will start. A bounded part of the backlog is read, those that come first.
WITH {{waiting_work}}, cut AS MATERIALIZED (
    -- beyond this there is more of some type than was read
    SELECT min(rank) AS rank
    FROM (SELECT max(rank) AS rank FROM work GROUP BY type HAVING count(*) >= (SELECT jobs FROM each)) AS last
), summed AS MATERIALIZED (
    SELECT rank, sum(predicted_ms) OVER (ORDER BY rank ROWS UNBOUNDED PRECEDING) AS ms,
           row_number() OVER (ORDER BY rank) AS place, count(*) OVER () AS jobs
    FROM work
    WHERE rank <= coalesce((SELECT rank FROM cut), 'infinity')
), points AS (
    SELECT coalesce(array_agg(rank ORDER BY place), '{}') AS ranks, coalesce(array_agg(ms ORDER BY place), '{}') AS waiting_ms
    FROM summed
    WHERE place = jobs OR place %% greatest(jobs / %(points)s, 1) = 0
), newest AS MATERIALIZED (
    SELECT queue, share_offset + rank_offset AS offset_seconds, predicted_ms, created_at
    FROM jobs_job
    ORDER BY id DESC
    LIMIT %(arrivals)s
), arrived AS MATERIALIZED (
    SELECT offset_seconds, sum(predicted_ms) OVER (ORDER BY offset_seconds ROWS UNBOUNDED PRECEDING) AS ms,
           row_number() OVER (ORDER BY offset_seconds) AS place, count(*) OVER () AS jobs
    FROM newest
    WHERE queue = %(queue)s
), span AS (
    SELECT greatest(date_part('epoch', clock_timestamp() - min(created_at)), %(span_seconds)s) AS seconds FROM newest
), rates AS (
    SELECT coalesce(array_agg(offset_seconds ORDER BY place), '{}') AS offsets,
           coalesce(array_agg(ms / span.seconds ORDER BY place), '{}') AS arriving_ms
    FROM arrived CROSS JOIN span
    WHERE place = jobs OR place %% greatest(jobs / %(rates)s, 1) = 0
), firsts AS (
    SELECT type, org_id, rank, first_value(org_id) OVER (PARTITION BY type ORDER BY rank) AS first_org FROM work
), fronts AS MATERIALIZED (
    SELECT type, first_org AS org_id, min(rank) AS rank, min(rank) FILTER (WHERE org_id <> first_org) AS other,
           EXISTS (SELECT FROM jobs_workerprocess AS process
                   WHERE process.kind = 'worker' AND process.status = 'online' AND process.org_id IS NULL
                     AND process.types ? type AND (process.queues ? %(queue)s OR process.queues ? '*')) AS served
    FROM firsts
    GROUP BY type, first_org
), front AS (
    SELECT coalesce(array_agg(type ORDER BY type), '{}') AS head_types, coalesce(array_agg(rank ORDER BY type), '{}') AS heads,
           coalesce(array_agg(org_id ORDER BY type), '{}') AS head_orgs,
           coalesce(array_agg(other ORDER BY type), '{}') AS others,
           coalesce(array_agg(served ORDER BY type), '{}') AS served
    FROM fronts
), usual AS (
    SELECT mean AS log_ms, greatest(square - mean * mean, 0) AS variance
    FROM (SELECT sum(jobs * mean_log_ms) / sum(jobs) AS mean, sum(jobs * mean_square) / sum(jobs) AS square
          FROM (SELECT jobs, mean_log_ms, mean_square FROM jobs_queueshare
                WHERE queue = %(queue)s AND jobs > 0
                ORDER BY lead_until DESC
                LIMIT %(orgs)s) AS latest) AS means
), running AS (
    SELECT count(*) AS jobs,
           coalesce(sum(greatest(predicted_ms - date_part('epoch', clock_timestamp() - leased_at) * 1000, 0)), 0) AS ms
    FROM jobs_lease
    WHERE queue = %(queue)s AND type = ANY(%(types)s::text[])
)
INSERT INTO jobs_backlog AS known (
    queue, measured_at, running, running_ms, head_types, heads, head_orgs, others, served, more, ranks, waiting_ms, offsets, arriving_ms, usual_log_ms,
    usual_variance, early_ratio, late_ratio
)
SELECT %(queue)s, clock_timestamp(), running.jobs, running.ms, front.head_types, front.heads,
       front.head_orgs, front.others, front.served, cut.rank IS NOT NULL, points.ranks, waiting_ms, offsets, arriving_ms,
       usual.log_ms, usual.variance, %(early_ratio)s, %(late_ratio)s
FROM points, rates, usual, running, cut, front
ON CONFLICT (queue) DO UPDATE
SET measured_at = excluded.measured_at, running = excluded.running, running_ms = excluded.running_ms,
    head_types = excluded.head_types, heads = excluded.heads,
    head_orgs = excluded.head_orgs, others = excluded.others, served = excluded.served, more = excluded.more, ranks = excluded.ranks, waiting_ms = excluded.waiting_ms,
    offsets = excluded.offsets, arriving_ms = excluded.arriving_ms,
    usual_log_ms = excluded.usual_log_ms, usual_variance = excluded.usual_variance
