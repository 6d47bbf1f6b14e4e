"""The dashboard's pages about jobs: one file a page, each with the fragment it refreshes itself from."""
