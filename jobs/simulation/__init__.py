"""Queues at simulated time: traces of real jobs through the code that ranks and the code that predicts."""
