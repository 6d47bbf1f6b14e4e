"""What a schedule is beside its job: name, times, and what becomes of times that were missed."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from jobs.cron import LONGEST, Cron, NotCron, timezones
from jobs.models import Missed, Schedule
from jobs.queue.schedules import LONGEST_NAME

CODE = {"class": "mono", "spellcheck": "false", "autocapitalize": "off", "autocomplete": "off"}
MISSED = {
    Missed.ONCE: _("One job for all of them"),
    Missed.SKIP: _("Nothing: they are skipped"),
    Missed.ALL: _("A job for each, up to a hundred"),
}


class ScheduleForm(forms.Form):
    """Its fields are named schedule-…, beside those of the job."""

    name = forms.CharField(
        label=_("Name"), max_length=LONGEST_NAME, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    cron = forms.CharField(
        max_length=LONGEST,
        label=_("Cron expression"),
        help_text=_("Minute, hour, day of the month, month, day of the week; or @hourly, @daily, @weekly, @monthly."),
        widget=forms.TextInput(attrs={**CODE, "placeholder": "30 2 * * 1-5"}),
    )
    timezone = forms.CharField(
        label=_("Time zone"), initial="UTC", max_length=64, widget=forms.TextInput(attrs={**CODE, "list": "zones"})
    )
    missed = forms.ChoiceField(
        label=_("Times that were missed"),
        choices=[(word, MISSED[word]) for word in (Missed.ONCE, Missed.SKIP, Missed.ALL)],
        initial=Missed.ONCE,
        help_text=_("While no scheduler led, or for more than a minute."),
    )
    is_paused = forms.BooleanField(label=_("Paused: never due until it is resumed"), required=False)

    def __init__(self, data: Any = None, *, initial: dict[str, Any] | None = None) -> None:
        super().__init__(data, initial=initial, prefix="schedule", auto_id="%s")

    @staticmethod
    def zones() -> list[str]:
        return sorted(timezones())

    @classmethod
    def of(cls, schedule: Schedule) -> "ScheduleForm":
        return cls(initial={name: getattr(schedule, name) for name in cls.base_fields})

    def clean(self) -> dict[str, Any]:
        found = super().clean() or self.cleaned_data
        if {"cron", "timezone"} <= found.keys():
            try:
                Cron(found["cron"], found["timezone"])
            except NotCron as error:
                self.add_error("timezone" if "time zone" in str(error) else "cron", str(error))
        return found
