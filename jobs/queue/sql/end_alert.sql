-- End the open alert of a rule by a person's act (%(why)s), and write that to whom the rule tells.
WITH judged AS MATERIALIZED (
    SELECT * FROM jobs_alertrule WHERE id = %(rule_id)s
), news AS MATERIALIZED (
    SELECT alert.*, 'alert.cleared' AS event FROM jobs_alert AS alert
    WHERE rule_id = %(rule_id)s AND cleared_at IS NULL
    FOR NO KEY UPDATE
), told AS MATERIALIZED (
    SELECT {{uuid7}} AS delivery_id, subscriber.id AS subscriber_id, judged.org_id,
           jsonb_build_object('alert', jsonb_build_object(
               'id', news.id, 'rule_id', news.rule_id, 'rule', news.name, 'kind', news.kind, 'queue', news.queue,
               'threshold', news.threshold, 'value', news.value, 'worst', news.worst, 'told', news.told,
               'raised_at', to_char(news.raised_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
               'cleared_at',
               to_char(statement_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))) AS data
    FROM news
    CROSS JOIN judged
    JOIN jobs_subscriber AS subscriber ON {{alerted}}
), delivered AS (
    INSERT INTO jobs_delivery (
        id, subscriber_id, org_id, event, correlation_id, data, status, attempt, attempts_before, next_at,
        response_body, error, created_at
    )
    SELECT delivery_id, subscriber_id, org_id, 'alert.cleared', '', data, 'pending', 0, 0, clock_timestamp(), '', '',
           clock_timestamp()
    FROM told
)
UPDATE jobs_alert AS alert
SET cleared_at = statement_timestamp(), cleared_why = %(why)s,
    deliveries = alert.deliveries || ARRAY(SELECT delivery_id FROM told)
FROM news
WHERE alert.id = news.id
RETURNING alert.id
