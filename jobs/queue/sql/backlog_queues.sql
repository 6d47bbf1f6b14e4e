-- The queues in which something waited or ran when they were last measured.
SELECT queue FROM jobs_backlog WHERE ranks <> '{}' OR running > 0
