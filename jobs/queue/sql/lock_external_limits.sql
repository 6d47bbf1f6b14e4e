-- lock_limits.sql for one organisation: before claim_external_limited.sql, in its transaction.
SELECT NOT locked AS busy,
       set_config('smartqueue.locked_orgs', CASE WHEN locked THEN %(org_id)s::bigint::text ELSE '' END, true),
       {{limited_planning}}
FROM (SELECT pg_try_advisory_xact_lock(hashtextextended('smartqueue limits ' || %(org_id)s::bigint, 0)) AS locked) AS tried
