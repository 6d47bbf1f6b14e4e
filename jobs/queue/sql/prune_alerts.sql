-- Forget alerts that have been over for long, a bounded batch.
DELETE FROM jobs_alert
WHERE id = ANY (ARRAY(
    SELECT id FROM jobs_alert
    WHERE cleared_at < statement_timestamp() - make_interval(days => %(days)s)
    ORDER BY id
    LIMIT 10000
))
