-- What changes whenever a job of the organisation moves, makes progress or is told what it is about. The newest moves are added up, because
-- one that commits late has a lower number than those already seen.
SELECT coalesce((SELECT sum(id) FROM (
           SELECT id FROM jobs_transition
           -- so that only the index of the organisation fits: by id alone the primary key would be read backwards
           WHERE org_id BETWEEN %(org_id)s AND %(org_id)s ORDER BY org_id DESC, id DESC LIMIT %(moves)s) AS newest), 0)
           ::text AS moves,
       coalesce((SELECT sum(hashtext(job_id::text || coalesce(progress, -1)::text || cancel_requested::text)::bigint)
                 FROM jobs_lease WHERE org_id = %(org_id)s), 0)::text AS running,
       coalesce((SELECT hits + misses + corrections FROM jobs_classifiercount WHERE org_id = %(org_id)s), 0) AS told
