"""What the submit forms of all types share."""

import json
from collections.abc import Mapping
from typing import Any, ClassVar, cast

from django import forms
from django.conf import settings
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from jobs.categories import categories_of
from jobs.errors import InvalidJob, InvalidPayload, KeyReused, QueueError
from jobs.forms.fields import JsonField, TextAreaField, moment_field
from jobs.hiding import restore
from jobs.ids import uuid7
from jobs.models import Job, Queue
from jobs.queue.enqueue import MAX_LENGTHS, NewJob
from jobs.ranking import URGENCY_FACTOR
from orgs.models import Org

SUGGESTIONS = 200
# Of what a person need not say.
TOLD = _("By its title")


class SubmitForm(forms.Form):
    """What all types share. A subclass says how its fields make a payload, and which field is which part of it."""

    name = forms.CharField(
        label=_("Name"),
        required=False,
        max_length=MAX_LENGTHS["name"],
        help_text=_("Jobs of one name are predicted from each other."),
    )
    title = forms.CharField(label=_("Title"), required=False, max_length=MAX_LENGTHS["title"])
    description = TextAreaField(rows=2, mono=False, label=_("Description"), max_length=MAX_LENGTHS["description"])
    queue = forms.CharField(
        label=_("Queue"), max_length=40, initial="default", widget=forms.TextInput(attrs={"list": "queues"})
    )
    urgency = forms.ChoiceField(
        label=_("Urgency"), required=False, choices=[("", TOLD), *((word, word) for word in URGENCY_FACTOR)]
    )
    category = forms.ChoiceField(label=_("Category"), required=False)
    tags = forms.CharField(
        label=_("Tags"),
        required=False,
        max_length=500,
        help_text=_("Words to find it by, with blanks between: customer-7 eu"),
    )
    delay_seconds = forms.FloatField(label=_("Start after (seconds)"), required=False, min_value=0)
    run_at = moment_field(_("Or at (UTC)"))
    timeout_seconds = forms.IntegerField(label=_("Timeout (seconds)"), required=False)
    max_attempts = forms.IntegerField(label=_("Attempts at most"), required=False)
    retry_base_seconds = forms.FloatField(label=_("First retry after (seconds)"), required=False)
    retry_cap_seconds = forms.FloatField(label=_("Later ones at most after (seconds)"), required=False)
    # One for each time the form is shown: pressing the button twice submits one job.
    once = forms.CharField(max_length=64, widget=forms.HiddenInput)
    # The job whose values it started from, where some of them are not shown.
    copy_of = forms.UUIDField(required=False, widget=forms.HiddenInput)

    COMMON = ("name", "title", "queue", "urgency", "category")
    LATER = ("delay_seconds", "run_at", "timeout_seconds", "max_attempts")
    RETRY = ("retry_base_seconds", "retry_cap_seconds")
    # Field by the first step of a JSON pointer into the payload; what is not named is told above the form.
    FIELDS: ClassVar[Mapping[str, str]] = {}

    def __init__(
        self,
        data: QueryDict | dict[str, Any] | None = None,
        *,
        org: Org,
        type: str,
        initial: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(data, initial=initial, auto_id="job-%s")
        self.org, self.type = org, type
        choices = [("", TOLD), *((word, word) for word in categories_of(org))]
        self.choice_field("category").choices = choices
        self.fields["timeout_seconds"].widget.attrs["placeholder"] = settings.JOB_TIMEOUT_SECONDS
        self.fields["max_attempts"].widget.attrs["placeholder"] = settings.RETRIES + 1

    def choice_field(self, name: str) -> forms.ChoiceField:
        return cast(forms.ChoiceField, self.fields[name])

    def queues(self) -> list[str]:
        names = Queue.objects.for_org(self.org).order_by("name").values_list("name", flat=True)
        return list(names[:SUGGESTIONS])

    def later_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in (*self.LATER, *self.RETRY)]

    def later_open(self) -> bool:
        return any(self[name].value() or self[name].errors for name in (*self.LATER, *self.RETRY))

    def payload(self) -> dict[str, Any]:
        raise NotImplementedError

    @classmethod
    def initial_of(cls, payload: Mapping[str, Any]) -> dict[str, Any]:
        """The fields that would make this payload, as far as they can say it."""
        raise NotImplementedError

    def new_job(self) -> NewJob:
        """Call it after is_valid()."""
        asked = self.cleaned_data
        chosen = {name: asked[name] for name in ("description", *self.COMMON, *self.LATER)}
        retry = {name.removeprefix("retry_"): asked[name] for name in self.RETRY if asked[name] is not None}
        chosen["retry"] = retry or None
        chosen["tags"] = asked["tags"].replace(",", " ").split()
        return NewJob(type=self.type, payload=self.meant(), idempotency_key=f"form-{asked['once']}", **chosen)

    def meant(self) -> dict[str, Any]:
        """The payload, where masks stand for what they hid in the job it was copied from."""
        sent = self.payload()
        source = self.cleaned_data["copy_of"]
        job = Job.objects.for_org(self.org).filter(pk=source, type=self.type).first() if source else None
        return restore(sent, job.payload) if job else sent

    def refuse(self, error: QueueError) -> None:
        """Put what the queue said beside the fields it is about."""
        if isinstance(error, InvalidPayload):
            for pointer, sentence in error.errors:
                self.refuse_payload(pointer, sentence)
        elif isinstance(error, InvalidJob):
            for pointer, sentence in error.errors:
                name = "tags" if pointer.startswith("/tags") else pointer.strip("/").replace("/", "_")
                self.add_error(name if name in self.fields else None, sentence)
        elif isinstance(error, KeyReused):
            self.data = {**{name: self.data[name] for name in self.data}, "once": uuid7().hex}
            text = _("This form was submitted before, with other values. Submit it again to make a new job.")
            self.add_error(None, text)
        else:
            self.add_error(None, error.detail)

    def refuse_payload(self, pointer: str, sentence: str) -> None:
        first, _slash, rest = pointer.removeprefix("/").partition("/")
        name = self.FIELDS.get(first)
        place = rest if name else pointer.removeprefix("/")
        self.add_error(name, f"{place}: {sentence}" if place else sentence)


class RawForm(SubmitForm):
    """Any type, by its payload."""

    raw = JsonField(rows=12, label=_("Payload, as JSON"))

    def payload(self) -> dict[str, Any]:
        found: dict[str, Any] = self.cleaned_data["raw"]
        return found

    def refuse_payload(self, pointer: str, sentence: str) -> None:
        self.add_error("raw", f"{pointer}: {sentence}" if pointer else sentence)

    @classmethod
    def initial_of(cls, payload: Mapping[str, Any]) -> dict[str, Any]:
        return {"raw": json.dumps(payload, indent=2, ensure_ascii=False)}
