-- Note an event; no row when it was noted before. Waits for another transaction that is noting it.
INSERT INTO jobs_seenevent (org_id, event, at)
SELECT id, %(event)s, clock_timestamp() FROM orgs_org WHERE slug = %(org)s
ON CONFLICT (org_id, event) DO NOTHING
RETURNING id
