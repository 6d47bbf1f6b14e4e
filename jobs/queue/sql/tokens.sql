-- The tokens of a limit (limited) at a time (moment.at), its bucket being (bucket): full without one, null without a
-- rate.
least(limited.burst, coalesce(
    bucket.tokens + greatest(date_part('epoch', moment.at - bucket.refilled_at), 0)
        * limited.rate_count / limited.rate_seconds,
    limited.burst))
