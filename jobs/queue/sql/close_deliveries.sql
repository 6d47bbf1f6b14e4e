-- End what is due for subscribers that were turned off or removed, at most %(batch)s.
WITH RECURSIVE {{addressees}}, due AS MATERIALIZED (
    SELECT found.id
    FROM waiting
    CROSS JOIN LATERAL (
        SELECT id
        FROM jobs_delivery
        WHERE subscriber_id = waiting.subscriber_id AND next_at <= statement_timestamp()
        ORDER BY next_at
        LIMIT %(batch)s
        FOR UPDATE SKIP LOCKED
    ) AS found
    WHERE NOT EXISTS (
        SELECT FROM jobs_subscriber AS subscriber WHERE subscriber.id = waiting.subscriber_id AND subscriber.active)
    LIMIT %(batch)s
), closed AS (
    UPDATE jobs_delivery
    SET status = 'failed', next_at = NULL, ended_at = clock_timestamp(), error = 'It was turned off when this was due.'
    WHERE id = ANY (ARRAY(SELECT id FROM due))
    RETURNING id
)
SELECT count(*) AS deliveries FROM closed
