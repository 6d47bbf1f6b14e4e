-- Store a batch, before its jobs and in their transaction. One whose idempotency key exists is left out of the answer:
-- whoever comes second with a key waits here until the first has committed or given up.
INSERT INTO jobs_batch (
    id, org_id, name, total, done, failed, cancelled, correlation_id, created_by_id, created_at,
    callback, callback_when, callback_error, idempotency_key, fingerprint
)
VALUES (
    %(id)s, %(org_id)s, %(called)s, %(total)s, 0, 0, 0, %(correlation_id)s, %(user_id)s, clock_timestamp(),
    %(callback)s::jsonb, %(callback_when)s, '', %(idempotency_key)s, %(fingerprint)s
)
ON CONFLICT (org_id, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
RETURNING id
