-- Begin a term as leader. Waits until no write of the former leader is under way (it holds its row FOR KEY SHARE).
WITH former AS MATERIALIZED (
    SELECT epoch FROM jobs_leaderterm WHERE ended_at IS NULL FOR UPDATE
), closed AS (
    UPDATE jobs_leaderterm AS term SET ended_at = clock_timestamp() FROM former WHERE term.epoch = former.epoch
    RETURNING term.epoch
)
SELECT count(*) FROM closed
