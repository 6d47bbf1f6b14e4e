-- The organisations that nothing is begun of, asked for once a statement.
ARRAY(SELECT org.id FROM orgs_org AS org WHERE {{halted}}
      UNION ALL
      SELECT org_id FROM jobs_pause WHERE type = '')
