"""How fast it is: `make bench`. A durable PostgreSQL of its own, real worker processes, figures read from the store."""
