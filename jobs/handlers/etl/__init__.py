"""etl: rows read, worked on step by step, and written."""
