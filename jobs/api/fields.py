"""Fields that read what DRF's own would read too widely."""

import re
from datetime import UTC, datetime
from typing import Any

from django.core.validators import RegexValidator
from rest_framework import serializers

from jobs.queue.enqueue import QUEUE_NAME
from jobs.queue.new_job import TAG

RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
# What a job's columns take; also, a day before or after is still a time.
FIRST_YEAR, LAST_YEAR = 1970, 2200


class MomentField(serializers.DateTimeField):
    """A time with an offset in; out as settings say, in UTC with microseconds."""

    default_error_messages = {
        "invalid": "A time like 2026-01-31T12:00:00Z or 2026-01-31T13:00:00+01:00; in a query, write + as %2B."
    }

    def to_internal_value(self, value: Any) -> datetime:
        if not isinstance(value, str) or not RFC_3339.fullmatch(value):
            self.fail("invalid")
        try:
            moment = datetime.fromisoformat(value.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail("invalid")
        if not FIRST_YEAR <= moment.year < LAST_YEAR:
            self.fail("invalid")
        return moment


class TextField(serializers.CharField):
    """Kept to the letter: white space at the ends is the caller's own."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, **kwargs)


class NameField(TextField):
    """Text with something to see in it."""

    def run_validation(self, data: Any = serializers.empty) -> Any:
        if isinstance(data, str) and not data.strip():
            self.fail("blank")
        return super().run_validation(data)


class QueueNameField(serializers.CharField):
    def __init__(self, **kwargs: Any) -> None:
        pattern = RegexValidator(
            rf"^{QUEUE_NAME.pattern}\Z", "1 to 40 lower-case letters, digits, dashes or underscores."
        )
        super().__init__(trim_whitespace=False, validators=[pattern], **kwargs)


class TagField(serializers.RegexField):
    def __init__(self, **kwargs: Any) -> None:
        said = {"invalid": "1 to 40 lower-case letters, digits, dots, underscores, colons or dashes."}
        super().__init__(rf"\A{TAG.pattern}\Z", error_messages={**said}, trim_whitespace=False, **kwargs)


class WordsField(serializers.ListField):
    """Words of a query string, separated by commas or given by repeating the parameter."""

    def to_internal_value(self, data: Any) -> Any:
        words = [word for part in data for word in str(part).split(",")]
        return super().to_internal_value(words)
