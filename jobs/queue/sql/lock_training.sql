-- The right to train an organisation's model, held by this session until it is given back or ends.
SELECT pg_try_advisory_lock(%(space)s::bigint << 48 | %(org_id)s) AS mine
