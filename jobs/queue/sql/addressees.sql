-- The subscribers that something is pending for, one look at the index each: waiting (subscriber_id).
waiting AS (
    (SELECT subscriber_id FROM jobs_delivery WHERE next_at IS NOT NULL ORDER BY subscriber_id LIMIT 1)
    UNION ALL
    SELECT later.subscriber_id
    FROM waiting
    CROSS JOIN LATERAL (
        SELECT subscriber_id FROM jobs_delivery
        WHERE next_at IS NOT NULL AND subscriber_id > waiting.subscriber_id
        ORDER BY subscriber_id
        LIMIT 1
    ) AS later
)
