-- Of a limit (limited) with what runs (running) and its bucket: how many may start at this moment; and the seconds
-- until one may, endless when a job has to end first.
least(limited.max_running - coalesce(running.jobs, 0), floor({{tokens}})) AS room,
CASE WHEN limited.max_running <= coalesce(running.jobs, 0) THEN 'infinity'
     WHEN {{tokens}} < 1 THEN (1 - {{tokens}}) * limited.rate_seconds / limited.rate_count END AS wait_seconds
