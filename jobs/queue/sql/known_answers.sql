-- What people said of these very texts last (version null), and what these versions answered to them.
WITH asked AS MATERIALIZED (
    SELECT unnest(%(digests)s::text[]) AS digest
)
SELECT asked.digest, NULL AS version, jsonb_build_object('category', coalesce(about.category, ''),
                                                         'urgency', coalesce(speed.urgency, '')) AS answer
FROM asked
LEFT JOIN LATERAL (
    SELECT category FROM jobs_label
    WHERE org_id = %(org_id)s AND digest = asked.digest AND category <> '' ORDER BY id DESC LIMIT 1
) AS about ON true
LEFT JOIN LATERAL (
    SELECT urgency FROM jobs_label
    WHERE org_id = %(org_id)s AND digest = asked.digest AND urgency <> '' ORDER BY id DESC LIMIT 1
) AS speed ON true
WHERE about.category IS NOT NULL OR speed.urgency IS NOT NULL
UNION ALL
SELECT digest, version, answer FROM jobs_classifiedtext
WHERE org_id = %(org_id)s AND digest = ANY (%(digests)s::text[]) AND version = ANY (%(versions)s::text[])
