"""The commands of sq: each offers add_to(), which names its arguments and what runs."""
