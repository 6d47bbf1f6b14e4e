"""What a next version might change of the tables: migrations of `jobs` after today's, that only tests apply."""
