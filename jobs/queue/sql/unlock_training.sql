-- Give back what begin_training.sql took.
SELECT pg_advisory_unlock(%(space)s::bigint << 48 | %(org_id)s) AS was_mine
