-- What the overview says of an organisation at a moment, in one question.
SELECT (SELECT row_to_json(counts) FROM ({{counts}}) AS counts) AS counts,
       (SELECT row_to_json(health) FROM ({{health}}) AS health) AS health,
       (SELECT coalesce(json_agg(unserved), '[]') FROM ({{unserved}}) AS unserved) AS unserved,
       (SELECT row_to_json(leader) FROM ({{leader}}) AS leader) AS leader
