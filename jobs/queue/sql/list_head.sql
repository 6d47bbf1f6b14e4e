-- What the list of jobs has around it, in one statement: what its filters offer, the views that are saved, and how this
-- person looks at it. Each is bounded.
WITH me AS (
    SELECT id FROM orgs_membership WHERE org_id = %(org_id)s AND user_id = %(user_id)s
), seen AS (
    SELECT kind, value FROM (VALUES ('name'), ('tag'), ('worker'), ('error')) AS asked (word)
    CROSS JOIN LATERAL (SELECT kind, value FROM jobs_searchfacet
                        WHERE org_id = %(org_id)s AND kind = word ORDER BY value LIMIT %(most)s) AS few
)
SELECT ARRAY(SELECT name FROM jobs_queue WHERE org_id = %(org_id)s ORDER BY name LIMIT %(most)s) AS queues,
       ARRAY(SELECT username FROM orgs_membership JOIN orgs_user ON orgs_user.id = user_id
             WHERE org_id = %(org_id)s ORDER BY username LIMIT %(most)s) AS people,
       (SELECT coalesce(jsonb_object_agg(kind, of_kind), '{}')
        FROM (SELECT kind, jsonb_agg(value) AS of_kind FROM seen GROUP BY kind) AS kinds) AS facets,
       (SELECT coalesce(jsonb_agg(jsonb_build_object('id', id, 'name', name, 'query', query, 'shared', owner_id IS NULL)
                                  ORDER BY owner_id IS NULL, name), '[]')
        FROM (SELECT id, name, query, owner_id FROM jobs_savedview
              WHERE org_id = %(org_id)s AND (owner_id IS NULL OR owner_id = (SELECT id FROM me))
              ORDER BY owner_id IS NULL, name LIMIT %(most)s) AS few) AS views,
       (SELECT id FROM orgs_user WHERE %(creator)s <> '' AND upper(username) = upper(%(creator)s) LIMIT 1) AS creator_id,
       coalesce((SELECT columns FROM jobs_listsettings WHERE member_id = (SELECT id FROM me)), '{}') AS columns,
       coalesce((SELECT compact FROM jobs_listsettings WHERE member_id = (SELECT id FROM me)), false) AS compact,
       (SELECT default_view_id FROM jobs_listsettings WHERE member_id = (SELECT id FROM me)) AS default_view
