-- What subscribers of an organisation that is erased were told, a bounded batch: by subscriber, for which there is an index.
DELETE FROM jobs_delivery
WHERE id = ANY (ARRAY(
    SELECT told.id FROM jobs_subscriber AS subscriber
    CROSS JOIN LATERAL (
        SELECT id FROM jobs_delivery WHERE subscriber_id = subscriber.id ORDER BY id LIMIT %(batch)s
    ) AS told
    WHERE subscriber.org_id = %(org_id)s
    LIMIT %(batch)s
))
RETURNING id
