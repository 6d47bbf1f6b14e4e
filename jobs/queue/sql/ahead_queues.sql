-- The queues in which an organisation is ahead of its share, or was ranked by what it had put in of late.
SELECT DISTINCT queue FROM jobs_queueshare
WHERE lead_until > clock_timestamp() OR overrun_ms > 0 OR tau_seconds > %(tau_min)s
