"""What people fill in about alert rules."""

from typing import Any
from uuid import UUID

from django import forms
from django.utils.translation import gettext_lazy as _

from jobs.models import AlertKind, Queue, Subscriber
from jobs.queue.alerts import SETTLE_SECONDS, WINDOW_SECONDS
from jobs.queue.enqueue import QUEUE_NAME
from orgs.models import Org
from orgs.names import check_printable

KIND_WORDS = {
    AlertKind.DEAD_LETTERS.value: _("dead letters: how many"),
    AlertKind.LATENCY.value: _("a job waits: seconds"),
    AlertKind.NO_WORKER.value: _("no worker takes a job: seconds"),
    AlertKind.CRON_MISSED.value: _("times of schedules missed: how many"),
    AlertKind.ERROR_RATE.value: _("attempts that fail: per cent"),
}
MOST_QUEUES = 200


def seconds(label: Any, limits: tuple[int, int], initial: int, help_text: Any) -> forms.IntegerField:
    least, most = limits
    return forms.IntegerField(label=label, min_value=least, max_value=most, initial=initial, help_text=help_text)


class AlertRuleForm(forms.Form):
    name = forms.CharField(
        label=_("Name"),
        max_length=64,
        validators=[check_printable],
        widget=forms.TextInput({"autocomplete": "off"}),
        help_text=_("It stands in what is sent: say what is wrong then."),
    )
    kind = forms.ChoiceField(label=_("What is watched"), choices=list(KIND_WORDS.items()))
    threshold = forms.FloatField(label=_("Raise from"), initial=1, widget=forms.NumberInput({"step": "any", "min": 0}))
    queue = forms.CharField(
        label=_("Only in queue"),
        required=False,
        max_length=40,
        widget=forms.TextInput({"list": "queues-known", "autocomplete": "off", "placeholder": _("any")}),
    )
    window_seconds = seconds(
        _("Counted over seconds"), WINDOW_SECONDS, 600, _("Of dead letters, missed times and attempts.")
    )
    settle_seconds = seconds(
        _("Over after seconds"), SETTLE_SECONDS, 120, _("So long it has to stay below four fifths of it.")
    )
    subscribers = forms.TypedMultipleChoiceField(
        label=_("Tell"),
        required=False,
        coerce=UUID,
        empty_value=[],
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None: all webhooks and addresses that are told when an alert is raised."),
    )

    def __init__(self, *args: Any, org: Org, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        told = Subscriber.objects.for_org(org).order_by("kind", "pk").values_list("pk", "target")
        field: Any = self.fields["subscribers"]
        field.choices = [(str(pk), target) for pk, target in told]
        self.queues = list(Queue.objects.for_org(org).order_by("name").values_list("name", flat=True)[:MOST_QUEUES])

    def clean_queue(self) -> str:
        name = str(self.cleaned_data["queue"])
        if name and not QUEUE_NAME.fullmatch(name):
            raise forms.ValidationError(_("1 to 40 lower-case letters, digits, dashes or underscores."), "queue")
        return name

    def asked(self) -> dict[str, Any]:
        return {**self.cleaned_data, "subscribers": self.cleaned_data["subscribers"] or None}
