-- A process does what it was asked to (asked); not where it has been asked for something else since.
UPDATE jobs_workerprocess
SET obeyed_at = clock_timestamp(), status = %(status)s
WHERE id = %(id)s AND asked = %(asked)s
