-- How many models are in use, how many of them drift, and how many trainings failed since one ended well.
SELECT count(model.org_id) AS active,
       count(model.org_id) FILTER (
           WHERE worse_since <= clock_timestamp() - make_interval(secs => %(drift_seconds)s)
       ) AS drifting,
       -- one that is under way counts as failed until it has ended
       coalesce(sum(failures) FILTER (WHERE error <> ''), 0)::bigint AS failures
FROM (SELECT org_id FROM jobs_modelversion WHERE active) AS model
FULL JOIN jobs_learning AS learning ON learning.org_id = model.org_id
