"""The fields of an email job."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from jobs.forms.base import SubmitForm
from jobs.forms.fields import TextAreaField
from jobs.handlers.mail.message import LISTS


class EmailForm(SubmitForm):
    to = TextAreaField(rows=1, mono=False, label=_("To"), help_text=_("One a line: an address, or Name <address>"))
    cc = TextAreaField(rows=1, mono=False, label="Cc")
    bcc = TextAreaField(rows=1, mono=False, label="Bcc")
    subject = forms.CharField(label=_("Subject"), max_length=250)
    text = TextAreaField(rows=6, mono=False, label=_("Text"))
    html = TextAreaField(rows=4, label="HTML", help_text=_("The same, for programs that show it"))
    from_name = forms.CharField(
        label=_("From"), required=False, max_length=100, help_text=_("A name; the address is fixed")
    )
    reply_to = forms.CharField(label=_("Reply to"), required=False, max_length=500)
    attachments = TextAreaField(
        rows=2, label=_("Attachments"), help_text=_("Ids of artefacts, one a line; a name may follow")
    )
    unsubscribe = forms.CharField(
        label=_("Unsubscribe"), required=False, max_length=900, help_text=_("Like <https://example.com/unsubscribe/7>")
    )

    FIELDS = {
        **{name: name for name in (*LISTS, "subject", "text", "html", "from_name", "reply_to", "attachments")},
        "headers": "unsubscribe",
    }

    def payload(self) -> dict[str, Any]:
        asked = self.cleaned_data
        optional = {
            **{name: lines(asked[name]) for name in ("cc", "bcc")},
            **{name: asked[name] for name in ("html", "from_name", "reply_to")},
            "attachments": [attachment(line) for line in lines(asked["attachments"])],
            "headers": {"List-Unsubscribe": asked["unsubscribe"]} if asked["unsubscribe"] else {},
        }
        found = {"to": lines(asked["to"]), "subject": asked["subject"], "text": asked["text"]}
        return found | {name: value for name, value in optional.items() if value}

    @classmethod
    def initial_of(cls, payload: Mapping[str, Any]) -> dict[str, Any]:
        files = [
            " ".join(filter(None, [one.get("artefact", ""), one.get("name", "")]))
            for one in payload.get("attachments", [])
        ]
        return {
            **{name: payload.get(name, "") for name in ("subject", "text", "html", "from_name", "reply_to")},
            **{name: "\n".join(payload.get(name, [])) for name in LISTS},
            "attachments": "\n".join(files),
            "unsubscribe": payload.get("headers", {}).get("List-Unsubscribe", ""),
        }


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n") if line.strip()]


def attachment(line: str) -> dict[str, str]:
    artefact, _, name = line.partition(" ")
    return {"artefact": artefact, **({"name": name.strip()} if name.strip() else {})}
