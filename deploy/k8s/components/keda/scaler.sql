-- The role by which KEDA asks, once, as the owner of the tables (the login of DATABASE_URL) and who may make roles:
--   psql "$DATABASE_URL" -f deploy/k8s/components/keda/scaler.sql && psql "$DATABASE_URL" -c '\password smartqueue_scaler'
-- It sees numbers and job types over all organisations: no id, no name, no payload, and it writes nothing.
CREATE ROLE smartqueue_scaler LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE CONNECTION LIMIT 5;
GRANT SELECT (type, held, limit_key, predicted_ms) ON jobs_ready TO smartqueue_scaler;
GRANT SELECT (type) ON jobs_lease TO smartqueue_scaler;
-- Row-level security shows who has no policy no row; `one_org` would ask for an organisation.
CREATE POLICY scaler ON jobs_ready FOR SELECT TO smartqueue_scaler USING (true);
CREATE POLICY scaler ON jobs_lease FOR SELECT TO smartqueue_scaler USING (true);
