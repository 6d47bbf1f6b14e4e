-- Rows of files that are out of the storage, of an organisation that is erased.
DELETE FROM jobs_artefact
WHERE id = ANY (%(ids)s) AND org_id = %(org_id)s
  AND EXISTS (SELECT FROM orgs_org WHERE id = %(org_id)s AND erasing_at IS NOT NULL)
