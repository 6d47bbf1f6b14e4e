"""email: messages by the operator's mail server."""
