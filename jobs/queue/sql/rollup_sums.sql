-- The columns of found rows of jobs_rollup (`found`), summed.
coalesce(sum(done), 0)::bigint AS done, coalesce(sum(error + timeout + crashed + lost), 0)::bigint AS failed,
       coalesce(sum(cancelled), 0)::bigint AS cancelled, coalesce(sum(retried), 0)::bigint AS retried,
       coalesce(sum(dead), 0)::bigint AS dead, coalesce(sum(created), 0)::bigint AS created,
       coalesce(sum(waited), 0)::bigint AS waited, coalesce(sum(wait_ms), 0) AS wait_ms,
       coalesce(sum(run_ms), 0) AS run_ms, coalesce(sum(predicted_ms), 0) AS predicted_ms,
       coalesce(sum(judged), 0)::bigint AS judged, coalesce(sum(log2_error), 0) AS log2_error,
       coalesce(sum(relative_error), 0) AS relative_error, coalesce(sum(ranged), 0)::bigint AS ranged,
       coalesce(sum(in_range), 0)::bigint AS in_range
