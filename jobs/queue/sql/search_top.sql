-- The newest jobs of an organisation with these words, at most %(most)s, and how many there are about; alone the latter
-- where that is more than %(skip_above)s: see jobs.search.
SELECT estimate, number, settled, first_ids, all_ids FROM jobs_search_top(
    %(org_id)s, %(wanted)s::tsquery, %(after)s::uuid, %(before)s::uuid, %(most)s, %(skip_above)s::float8,
    %(floor)s::uuid, %(below)s::uuid, %(few)s)
