-- Take due deliveries to webhooks: of each webhook no more than there is room for, those due longest first. Whoever
-- takes one has %(seconds)s seconds to say what came of it; then it is due again.
WITH RECURSIVE {{addressees}}, due AS MATERIALIZED (
    SELECT found.id
    FROM waiting
    JOIN jobs_subscriber AS webhook
        ON webhook.id = waiting.subscriber_id AND webhook.kind = 'webhook' AND webhook.active
        -- what is for an organisation that is not active waits for it
        AND NOT EXISTS (SELECT FROM orgs_org AS org WHERE org.id = webhook.org_id AND {{halted}})
    CROSS JOIN LATERAL (
        SELECT id, next_at
        FROM jobs_delivery
        WHERE subscriber_id = webhook.id AND next_at <= statement_timestamp()
        ORDER BY next_at
        LIMIT coalesce((%(room)s::jsonb ->> webhook.id::text)::int, %(each)s)
        FOR UPDATE SKIP LOCKED
    ) AS found
    ORDER BY found.next_at
    LIMIT %(slots)s
), taken AS (
    UPDATE jobs_delivery AS delivery
    SET attempt = attempt + 1, last_attempt_at = clock_timestamp(),
        next_at = clock_timestamp() + make_interval(secs => %(seconds)s)
    WHERE id = ANY (ARRAY(SELECT id FROM due))
    RETURNING id, subscriber_id, event, correlation_id, data, attempt, attempts_before, created_at, last_attempt_at
)
SELECT taken.id, taken.subscriber_id, taken.event, taken.correlation_id, taken.data, taken.attempt,
       taken.attempts_before, to_char(taken.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS happened_at,
       taken.last_attempt_at AS sent_at, webhook.target AS url, webhook.secret,
       CASE WHEN webhook.previous_until > statement_timestamp() THEN webhook.previous_secret ELSE '' END
           AS previous_secret
FROM taken
JOIN jobs_subscriber AS webhook ON webhook.id = taken.subscriber_id
ORDER BY taken.id
