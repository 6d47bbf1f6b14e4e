-- Note since when active models have been far worse than when they were promoted, over their latest runs; and forget it
-- of those that are no longer.
WITH recent AS MATERIALIZED (
    SELECT model.org_id,
           sum(hour.log2_error) / sum(hour.runs)
               > %(factor)s * greatest((model.metrics ->> 'malr')::float8, %(least_error)s) AS worse
    FROM jobs_modelversion AS model
    JOIN jobs_accuracy AS hour
      ON hour.org_id = model.org_id AND hour.model_version = model.version
     AND hour.hour > statement_timestamp() - make_interval(hours => %(hours)s)
    WHERE model.active
    GROUP BY model.org_id, model.metrics
    HAVING sum(hour.runs) >= %(runs)s
)
UPDATE jobs_learning AS learning
SET worse_since = CASE WHEN learning.worse_since IS NULL THEN clock_timestamp() END
WHERE (learning.worse_since IS NULL) = EXISTS (SELECT FROM recent WHERE recent.org_id = learning.org_id AND recent.worse)
RETURNING org_id, worse_since
