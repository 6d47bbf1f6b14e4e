-- The next %(most)s jobs of an organisation beyond an id, one way or the other: how many there are, and the last of the
-- first %(look)s; and up to when jobs have words to be found by.
WITH near AS MATERIALIZED (
    (SELECT id FROM jobs_job WHERE %(newest)s AND org_id = %(org_id)s AND id < %(edge)s ORDER BY id DESC LIMIT %(most)s)
    UNION ALL
    (SELECT id FROM jobs_job WHERE NOT %(newest)s AND org_id = %(org_id)s AND id > %(edge)s ORDER BY id LIMIT %(most)s)
), first AS MATERIALIZED (
    SELECT id FROM near ORDER BY CASE WHEN %(newest)s THEN id END DESC, id LIMIT %(look)s
)
SELECT (SELECT count(*) FROM near) AS jobs,
       CASE WHEN %(newest)s THEN (SELECT id FROM first ORDER BY id LIMIT 1)
            ELSE (SELECT id FROM first ORDER BY id DESC LIMIT 1) END AS far,
       (SELECT done_at FROM jobs_follower WHERE name = 'jobs') AS followed_at
