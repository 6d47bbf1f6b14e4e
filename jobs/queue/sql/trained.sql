-- Note that an organisation's model was trained on all the runs that had been counted when that began.
INSERT INTO jobs_learning AS known (org_id, trained_runs, trained_at)
VALUES (%(org_id)s, %(runs)s, clock_timestamp())
ON CONFLICT (org_id) DO UPDATE
SET trained_runs = excluded.trained_runs, trained_at = excluded.trained_at, failures = 0, not_before = NULL, error = ''
