-- What a worker of an organisation's own is asked to do ('' for nothing), now that it calls: it obeys from here on, for
-- it is given no job any more.
WITH known AS (
    SELECT id, asked, obeyed_at FROM jobs_workerprocess WHERE id = %(id)s::uuid
), noted AS (
    UPDATE jobs_workerprocess AS process SET obeyed_at = clock_timestamp()
    FROM known
    WHERE process.id = known.id AND known.asked <> '' AND known.obeyed_at IS NULL
)
SELECT asked FROM known
