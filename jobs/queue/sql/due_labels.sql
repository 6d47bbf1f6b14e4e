-- Organisations whose people taught enough since the newest version of their classifier, or have stopped for a while.
SELECT taught.org_id
FROM jobs_classifiercount AS taught
CROSS JOIN LATERAL (
    SELECT id, at FROM jobs_label WHERE org_id = taught.org_id ORDER BY id DESC LIMIT 1
) AS newest
CROSS JOIN LATERAL (
    SELECT coalesce(max(last_label_id), 0) AS id FROM jobs_classifierversion WHERE org_id = taught.org_id
) AS known
WHERE taught.corrections > 0 AND newest.id > known.id
  AND (
      newest.at < clock_timestamp() - make_interval(secs => %(quiet_seconds)s)
      OR (SELECT count(*) FROM (
              SELECT FROM jobs_label WHERE org_id = taught.org_id AND id > known.id LIMIT %(each)s
          ) AS later) >= %(each)s
  )
ORDER BY newest.id
LIMIT %(batch)s
