-- What changes whenever something does that the lists and the overview of an organisation show: its jobs, what people did,
-- and which processes there are.
SELECT concat_ws('/', moved.moves, moved.running, moved.told,
           -- some, as of the moves: one that commits late may be older than those already seen
           (SELECT sum(id) FROM (SELECT id FROM orgs_auditentry WHERE org_id = %(org_id)s
                                 ORDER BY at DESC LIMIT 16) AS acts),
           (SELECT sum(hashtext(concat_ws('/', id, status))::bigint) FROM jobs_workerprocess
            WHERE status IN ('online', 'quiet', 'draining')),
           (SELECT max(epoch) FROM jobs_leaderterm WHERE ended_at IS NULL)) AS pulse
FROM ({{org_version}}) AS moved
