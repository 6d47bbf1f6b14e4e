-- Keep a lease from being ended in this transaction; to renew it stays possible.
SELECT job_id FROM jobs_lease WHERE token = %(token)s FOR KEY SHARE
