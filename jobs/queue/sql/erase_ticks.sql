-- What came of the schedules of an organisation that is erased, a bounded batch.
DELETE FROM jobs_scheduletick
WHERE id = ANY (ARRAY(
    SELECT tick.id FROM jobs_schedule AS schedule
    CROSS JOIN LATERAL (
        SELECT id FROM jobs_scheduletick WHERE schedule_id = schedule.id ORDER BY at LIMIT %(batch)s
    ) AS tick
    WHERE schedule.org_id = %(org_id)s
    LIMIT %(batch)s
))
RETURNING id
