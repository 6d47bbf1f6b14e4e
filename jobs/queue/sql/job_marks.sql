-- What differs whenever something that is shown of a job does: the version of its row, and what its worker says.
SELECT job.id,
       concat_ws('/', job.xmin::text, lease.attempt, lease.progress, lease.cancel_requested, lease.progress_message)
FROM jobs_job AS job
LEFT JOIN jobs_lease AS lease ON lease.job_id = job.id
WHERE job.id = ANY (%(job_ids)s::uuid[])
