-- Measure what all rules watch; raise an alert where the threshold is reached and none is open, end those that have been
-- below %(quiet_share)s of it for as long as the rule says, and write to each subscriber what has become.
WITH {{alert_measures}}, judged AS MATERIALIZED (
    SELECT rule.*, measured.value, left(measured.told, 500) AS told, open.id AS open_id, open.worst AS open_worst,
           open.raised_at AS open_raised_at,
           CASE WHEN open.id IS NOT NULL AND measured.value < rule.threshold * %(quiet_share)s
                THEN coalesce(rule.quiet_since, statement_timestamp()) END AS quiet_from
    FROM measured
    JOIN active_rule AS rule ON rule.id = measured.id
    LEFT JOIN jobs_alert AS open ON open.rule_id = rule.id AND open.cleared_at IS NULL
), news AS MATERIALIZED (
    SELECT {{uuid7}} AS alert_id, 'alert.raised' AS event, statement_timestamp() AS raised_at, NULL::timestamptz AS ended_at,
           value AS worst, judged.id AS rule_id
    FROM judged
    WHERE open_id IS NULL AND value >= threshold
    UNION ALL
    SELECT open_id, 'alert.cleared', open_raised_at, statement_timestamp(), open_worst, judged.id
    FROM judged
    WHERE quiet_from <= statement_timestamp() - make_interval(secs => settle_seconds)
), told AS MATERIALIZED (
    SELECT {{uuid7}} AS delivery_id, subscriber.id AS subscriber_id, news.alert_id, news.event, news.rule_id,
           judged.org_id,
           jsonb_build_object('alert', jsonb_build_object(
               'id', news.alert_id, 'rule_id', judged.id, 'rule', judged.name, 'kind', judged.kind, 'queue', judged.queue,
               'threshold', judged.threshold, 'value', judged.value, 'worst', news.worst, 'told', judged.told,
               'raised_at', to_char(news.raised_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
               'cleared_at', to_char(news.ended_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))) AS data
    FROM news
    JOIN judged ON judged.id = news.rule_id
    JOIN jobs_subscriber AS subscriber ON {{alerted}}
), delivered AS (
    INSERT INTO jobs_delivery (
        id, subscriber_id, org_id, event, correlation_id, data, status, attempt, attempts_before, next_at,
        response_body, error, created_at
    )
    SELECT delivery_id, subscriber_id, org_id, event, '', data, 'pending', 0, 0, clock_timestamp(), '', '',
           clock_timestamp()
    FROM told
), raised AS (
    INSERT INTO jobs_alert (
        id, org_id, rule_id, name, kind, queue, threshold, value, worst, told, raised_at, cleared_why, deliveries
    )
    SELECT news.alert_id, judged.org_id, judged.id, judged.name, judged.kind, judged.queue, judged.threshold,
           judged.value, judged.value, judged.told, news.raised_at, '',
           ARRAY(SELECT delivery_id FROM told WHERE told.alert_id = news.alert_id)
    FROM news JOIN judged ON judged.id = news.rule_id
    WHERE news.event = 'alert.raised'
    RETURNING id
), cleared AS (
    UPDATE jobs_alert AS alert
    SET cleared_at = news.ended_at, cleared_why = 'settled',
        deliveries = alert.deliveries
            || ARRAY(SELECT delivery_id FROM told WHERE told.alert_id = alert.id AND told.event = 'alert.cleared')
    FROM news
    WHERE news.event = 'alert.cleared' AND alert.id = news.alert_id
    RETURNING alert.id
), worse AS (
    UPDATE jobs_alert AS alert
    SET worst = judged.value, told = judged.told
    FROM judged
    WHERE alert.id = judged.open_id AND judged.value > judged.open_worst
), seen AS (
    UPDATE jobs_alertrule AS rule
    SET seen_value = judged.value, seen_at = statement_timestamp(),
        quiet_since = CASE WHEN EXISTS (SELECT FROM news WHERE news.rule_id = rule.id) THEN NULL
                           ELSE judged.quiet_from END
    FROM judged
    WHERE rule.id = judged.id
)
SELECT (SELECT count(*) FROM raised) AS raised, (SELECT count(*) FROM cleared) AS cleared
