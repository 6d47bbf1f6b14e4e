-- Forget what is remembered of keys that have not run for long, a bounded batch. No index: it is looked for rarely.
DELETE FROM jobs_runtimememory
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM jobs_runtimememory
    WHERE last_ended < date_part('epoch', statement_timestamp() - make_interval(days => %(days)s))
    LIMIT 10000
))
  AND last_ended < date_part('epoch', statement_timestamp() - make_interval(days => %(days)s))
