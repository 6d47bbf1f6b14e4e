-- Jobs of an organisation by their words, in order of their ids: see jobs.search.
SELECT id FROM jobs_search_ids(
    %(org_id)s, %(wanted)s::tsquery, %(after)s::uuid, %(before)s::uuid, %(most)s, %(newest)s,
    (SELECT id FROM jobs_job WHERE org_id = %(org_id)s ORDER BY id LIMIT 1),
    (SELECT id FROM jobs_job WHERE org_id = %(org_id)s ORDER BY id DESC LIMIT 1),
    %(likely)s::uuid) AS id
