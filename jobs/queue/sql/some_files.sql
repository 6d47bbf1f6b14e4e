-- Some files of an organisation, with their names in the storage.
SELECT id, file FROM jobs_artefact WHERE org_id = %(org_id)s LIMIT %(batch)s
