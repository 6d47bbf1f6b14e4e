-- What changes whenever a process, its heartbeat, what it runs or the leader's term does.
SELECT coalesce((SELECT sum(hashtext(concat_ws('/', id, status, beat_at, asked_at, obeyed_at))::bigint) FROM jobs_workerprocess
                 WHERE status IN ('online', 'quiet', 'draining') OR stopped_at > clock_timestamp() - interval '1 hour'), 0)::text
           AS beats,
       coalesce((SELECT sum(hashtext(concat_ws('/', id, status,
                                beat_at > clock_timestamp() - make_interval(secs => %(dead_seconds)s)))::bigint)
                 FROM jobs_workerprocess WHERE status IN ('online', 'quiet', 'draining')), 0)::text AS living,
       coalesce((SELECT sum(hashtext(concat_ws('/', job_id, attempt, worker_id))::bigint) FROM jobs_lease), 0)::text
           AS leases,
       coalesce((SELECT concat_ws('/', epoch, ended_at IS NULL,
                                  beat_at > clock_timestamp() - make_interval(secs => %(stale_seconds)s))
                 FROM jobs_leaderterm ORDER BY ended_at IS NOT NULL, epoch DESC LIMIT 1), '') AS leader
