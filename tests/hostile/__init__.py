"""Text that is written to do harm, in every place where text is kept, and what becomes of it wherever it is shown."""
