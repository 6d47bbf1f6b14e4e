-- The queues in which an organisation is taken to be ahead of its share.
SELECT DISTINCT queue FROM jobs_queueshare
WHERE lead_until > clock_timestamp()
