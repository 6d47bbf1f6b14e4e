-- Forget old deliveries that are over, a bounded batch.
DELETE FROM jobs_delivery
WHERE id = ANY (ARRAY(
    SELECT id FROM jobs_delivery
    -- ids are in order of creation (UUIDv7), by the database's clock
    WHERE id < (lpad(to_hex((extract(epoch FROM statement_timestamp() - make_interval(days => %(days)s)) * 1000)::bigint),
                     12, '0') || repeat('0', 20))::uuid
      AND next_at IS NULL
    ORDER BY id
    LIMIT 10000
))
