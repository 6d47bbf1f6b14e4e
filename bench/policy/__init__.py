"""What prediction, order and classification are worth, measured on traces and tickets."""
