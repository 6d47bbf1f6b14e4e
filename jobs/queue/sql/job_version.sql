-- What changes whenever something about one job does: its moves, its log, its running attempt and its files.
SELECT coalesce((SELECT max(id) FROM jobs_transition WHERE job_id = %(job_id)s), 0) AS move,
       coalesce((SELECT attempt || '.' || sequence FROM jobs_logline WHERE job_id = %(job_id)s
                 ORDER BY attempt DESC, sequence DESC LIMIT 1), '0') AS line,
       coalesce((SELECT hashtext(concat_ws('/', attempt, progress, progress_message, cancel_requested))
                 FROM jobs_lease WHERE job_id = %(job_id)s), 0) AS running,
       (SELECT hashtext(concat_ws('/', urgency, category, classification, queue, run_at)) FROM jobs_job WHERE id = %(job_id)s) AS told,
       (SELECT count(*) FROM jobs_artefact WHERE job_id = %(job_id)s) AS files
