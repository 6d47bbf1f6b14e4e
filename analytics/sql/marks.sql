-- What happened to an organisation's queues and to the deployment in a span, the newest first: for the time axis.
(SELECT at, action AS what, target AS name
 FROM orgs_auditentry
 WHERE org_id = %(org_id)s AND action = ANY (%(actions)s::text[])
   AND at > statement_timestamp() - make_interval(hours => %(hours)s)
 ORDER BY at DESC
 LIMIT %(marks)s)
UNION ALL
(SELECT promoted_at, 'model', version::text
 FROM jobs_modelversion
 WHERE org_id = %(org_id)s AND promoted_at > statement_timestamp() - make_interval(hours => %(hours)s)
 ORDER BY promoted_at DESC
 LIMIT %(marks)s)
UNION ALL
-- not the first that was ever seen
(SELECT seen_at, 'release', version
 FROM jobs_release
 WHERE seen_at > statement_timestamp() - make_interval(hours => %(hours)s)
   AND seen_at > (SELECT min(seen_at) FROM jobs_release)
 ORDER BY seen_at DESC
 LIMIT %(marks)s)
ORDER BY 1 DESC
LIMIT %(marks)s
