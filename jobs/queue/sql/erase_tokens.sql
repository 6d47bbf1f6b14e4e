-- The tokens of the limits of an organisation that is erased, a bounded batch.
DELETE FROM jobs_limitbucket
WHERE id = ANY (ARRAY(
    SELECT bucket.id FROM jobs_limit AS part
    CROSS JOIN LATERAL (
        SELECT id FROM jobs_limitbucket WHERE limit_id = part.id ORDER BY key LIMIT %(batch)s
    ) AS bucket
    WHERE part.org_id = %(org_id)s
    LIMIT %(batch)s
))
RETURNING id
