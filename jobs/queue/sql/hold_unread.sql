-- Hold a job that is to be read, before its place and the job itself; no row when somebody has told it meanwhile.
SELECT job_id FROM jobs_toclassify WHERE job_id = %(job_id)s FOR UPDATE
