-- A receiver of the event stream that there was not before begins after this move.
INSERT INTO jobs_streamposition (name, position) VALUES (%(sink)s, %(position)s) ON CONFLICT (name) DO NOTHING
