-- Take what is due for one address that had its last mail %(digest_seconds)s seconds ago or earlier: at most %(most)s.
WITH RECURSIVE {{addressees}}, address AS MATERIALIZED (
    SELECT subscriber.id
    FROM jobs_subscriber AS subscriber
    WHERE subscriber.id = ANY (ARRAY(SELECT subscriber_id FROM waiting))
      AND subscriber.kind = 'mail' AND subscriber.active
      AND NOT EXISTS (SELECT FROM orgs_org AS org WHERE org.id = subscriber.org_id AND {{halted}})
      AND (subscriber.mailed_at IS NULL
           OR subscriber.mailed_at <= statement_timestamp() - make_interval(secs => %(digest_seconds)s))
      AND EXISTS (SELECT FROM jobs_delivery AS delivery
                  WHERE delivery.subscriber_id = subscriber.id AND delivery.next_at <= statement_timestamp())
    ORDER BY subscriber.mailed_at NULLS FIRST
    LIMIT 1
    FOR UPDATE SKIP LOCKED
), marked AS (
    UPDATE jobs_subscriber AS subscriber SET mailed_at = clock_timestamp()
    FROM address WHERE subscriber.id = address.id
    RETURNING subscriber.id, subscriber.org_id, subscriber.target
), due AS MATERIALIZED (
    SELECT delivery.id
    FROM jobs_delivery AS delivery
    WHERE delivery.subscriber_id = (SELECT id FROM address) AND delivery.next_at <= statement_timestamp()
    ORDER BY delivery.next_at
    LIMIT %(most)s
    FOR UPDATE SKIP LOCKED
), taken AS (
    UPDATE jobs_delivery
    SET attempt = attempt + 1, last_attempt_at = clock_timestamp(),
        next_at = clock_timestamp() + make_interval(secs => %(seconds)s)
    WHERE id = ANY (ARRAY(SELECT id FROM due))
    RETURNING id, event, data, attempt, attempts_before
)
SELECT taken.*, marked.id AS subscriber_id, marked.target AS address, org.name AS org
FROM taken
CROSS JOIN marked
JOIN orgs_org AS org ON org.id = marked.org_id
ORDER BY taken.id
