-- Until this transaction ends, whoever else adds to what this quota of the organisation is about waits: what the next
-- statement reads is then all there is.
SELECT pg_advisory_xact_lock(hashtextextended(concat_ws(' ', 'smartqueue quota', %(quota)s::text, %(org_id)s::bigint), 0))::text
