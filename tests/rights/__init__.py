"""Who may do what, over every route that there is."""
