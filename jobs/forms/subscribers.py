"""What people fill in about webhooks and addresses that are told."""

from datetime import timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from jobs.handlers import registry
from jobs.models import ENDS, EventType
from jobs.queue.subscribers import LONGEST_ADDRESS

EVENT_WORDS = {
    EventType.DONE.value: _("a job is done"),
    EventType.FAILED.value: _("a job has failed for good"),
    EventType.CANCELLED.value: _("a job is cancelled"),
    EventType.ALERT_RAISED.value: _("an alert is raised"),
    EventType.ALERT_CLEARED.value: _("an alert is over"),
}
SINCE = {
    "1h": (_("the last hour"), timedelta(hours=1)),
    "24h": (_("the last 24 hours"), timedelta(hours=24)),
    "7d": (_("the last 7 days"), timedelta(days=7)),
    "30d": (_("the last 30 days"), timedelta(days=30)),
}


class ToldForm(forms.Form):
    events = forms.MultipleChoiceField(
        label=_("When"), choices=list(EVENT_WORDS.items()), widget=forms.CheckboxSelectMultiple, initial=ENDS
    )
    types = forms.MultipleChoiceField(
        label=_("Only of jobs of these types"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None: of all types."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["types"]
        field.choices = [(one, one) for one in registry.types()]

    def asked(self) -> dict[str, Any]:
        """By the columns of a subscriber."""
        asked = self.cleaned_data
        return {"target": asked["target"], "events": asked["events"], "types": asked["types"] or None}


class WebhookForm(ToldForm):
    target = forms.CharField(
        label="URL",
        max_length=2_048,
        widget=forms.URLInput({"autocomplete": "off", "placeholder": "https://example.com/hooks/smartqueue"}),
        help_text=_("http or https, at a public address."),
    )
    field_order = ("target", "events", "types")


class MailForm(ToldForm):
    target = forms.EmailField(
        label=_("E-mail address"), max_length=LONGEST_ADDRESS, widget=forms.EmailInput({"autocomplete": "off"})
    )
    field_order = ("target", "events", "types")


class SinceForm(forms.Form):
    since = forms.ChoiceField(
        label=_("Of events in"), choices=[(word, text) for word, (text, _length) in SINCE.items()], initial="24h"
    )

    def length(self) -> timedelta:
        return SINCE[self.cleaned_data["since"]][1]
