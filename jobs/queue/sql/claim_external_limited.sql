-- claim_limited.sql for workers of an organisation's own: external jobs of that one, after lock_external_limits.sql.
WITH RECURSIVE {{limited_heads}}, others AS MATERIALIZED (
    {{external_turn}}
    ) AS head
), {{limited_taken}}
