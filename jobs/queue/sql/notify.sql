-- Send one notification.
SELECT pg_notify(%(channel)s::text, %(word)s::text)
