-- Delete the rows of files whose time is over, a bounded batch; their names are told, for the storage.
DELETE FROM jobs_artefact
WHERE id = ANY (ARRAY(
    SELECT id FROM jobs_artefact
    WHERE expires_at < clock_timestamp()
    ORDER BY expires_at
    LIMIT %(batch)s
    FOR UPDATE SKIP LOCKED
)) AND expires_at < clock_timestamp()
RETURNING file
