-- How far each receiver is behind: moves it was not told of, and since when the first of them waits. They are counted up
-- to %(most)s; beyond that the numbers say about how many there are.
SELECT stream.name,
       CASE WHEN behind.moves < %(most)s THEN behind.moves
            ELSE greatest(behind.moves, coalesce(newest.id, 0) - stream.position) END AS events,
       greatest(coalesce(date_part('epoch', clock_timestamp() - first.at), 0), 0) AS seconds
FROM jobs_streamposition AS stream
LEFT JOIN LATERAL (
    SELECT at FROM jobs_transition WHERE id > stream.position ORDER BY id LIMIT 1
) AS first ON true
CROSS JOIN LATERAL (
    SELECT count(*) AS moves
    FROM (SELECT FROM jobs_transition WHERE id > stream.position ORDER BY id LIMIT %(most)s) AS ahead
) AS behind
CROSS JOIN (SELECT max(id) AS id FROM jobs_transition) AS newest
ORDER BY stream.name
