-- Whether nothing of an organisation (org) begins: it is suspended or closing, or paused as a whole.
({{halted}} OR EXISTS (SELECT FROM jobs_pause AS whole WHERE whole.org_id = org.id AND whole.type = ''))
