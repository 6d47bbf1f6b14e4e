-- Send notifications: (channel, word) pairs.
SELECT pg_notify(channel, word) FROM unnest(%(channels)s::text[], %(words)s::text[]) AS note (channel, word)
