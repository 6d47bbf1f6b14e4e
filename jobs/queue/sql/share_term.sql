-- Hold the leader's open term for the length of a transaction; no row when the term is over.
SELECT epoch FROM jobs_leaderterm WHERE epoch = %(epoch)s AND ended_at IS NULL FOR KEY SHARE
