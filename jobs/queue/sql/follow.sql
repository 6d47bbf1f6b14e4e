-- Move a follower's checkpoint on, over three calls: it is set at the newest row; a transaction of ours begins after that;
-- and once all that began before this one have ended, no row will come any more that was numbered before the checkpoint.
-- Rows are numbered before they are committed, so the newest that is seen says nothing of those before it.
WITH now AS (
    SELECT pg_current_xact_id()::text::bigint AS xid, pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS xmin,
           statement_timestamp() AS at,
           coalesce(CASE %(follower)s WHEN 'jobs' THEN (SELECT max(id) FROM jobs_transition)
                                  ELSE (SELECT max(id) FROM jobs_attempt) END, 0) AS newest
)
INSERT INTO jobs_follower AS follower (name, next_id, next_at)
SELECT %(follower)s, newest, at FROM now
ON CONFLICT (name) DO UPDATE
SET next_xid = CASE WHEN follower.next_xid IS NULL THEN (SELECT xid FROM now) END,
    final_id = CASE WHEN follower.next_xid IS NULL THEN follower.final_id ELSE follower.next_id END,
    final_at = CASE WHEN follower.next_xid IS NULL THEN follower.final_at ELSE follower.next_at END,
    next_id = CASE WHEN follower.next_xid IS NULL THEN follower.next_id
                   ELSE greatest(follower.next_id, excluded.next_id) END,
    next_at = CASE WHEN follower.next_xid IS NULL THEN follower.next_at ELSE excluded.next_at END
WHERE follower.next_xid IS NULL OR follower.next_xid <= (SELECT xmin FROM now)
