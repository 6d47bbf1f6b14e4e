"""Jobs that come as messages of a broker, beside those that come over the API."""
