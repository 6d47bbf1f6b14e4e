"""Predicts how long a job will run, from what is known when it is submitted.

Plain NumPy and the standard library: it knows neither the database nor the web, so it can be trained and
tested alone. Start at `runtime` (predict), `train` (fit and measure) and `weights` (keep and load).
"""
