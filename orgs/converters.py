"""What stands for a person in a path. Other words are no address, so that no query ever sees them."""

from django.urls import register_converter


class UsernameConverter:
    regex = r"[A-Za-z0-9][A-Za-z0-9._-]{2,31}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(UsernameConverter, "username")
