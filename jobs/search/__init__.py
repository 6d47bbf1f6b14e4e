"""Finding jobs among many: the language of the search box, what jobs are found by, and how they are found."""
