"""The same work given to other queues, which run in a virtual environment of their own (requirements-peers.in)."""
