"""The fields of a shell job."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from jobs.forms.base import SubmitForm
from jobs.forms.fields import TextAreaField, pairs
from orgs.models import Org


class ShellForm(SubmitForm):
    program = forms.ChoiceField(label=_("Program"))
    arguments = TextAreaField(
        rows=4, label=_("Arguments"), help_text=_("One a line, as they are: no shell reads them.")
    )
    stdin = TextAreaField(rows=2, label=_("Standard input"))
    env = TextAreaField(rows=2, label=_("Environment"), help_text=_("One a line, as NAME=value"))
    expect_exit = forms.CharField(
        label=_("Done when it exits with"), required=False, max_length=200, initial="0", help_text=_("Like 0, 1")
    )

    FIELDS = {"stdin": "stdin", "env": "env", "expect_exit": "expect_exit"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.choice_field("program").choices = [(path, path) for path in runnable(self.org)]

    def clean_env(self) -> dict[str, str]:
        return pairs(self.cleaned_data["env"], "=")

    def clean_expect_exit(self) -> list[int]:
        words = self.cleaned_data["expect_exit"].replace(",", " ").split()
        if not all(word.isascii() and word.isdigit() and len(word) < 4 for word in words):
            raise ValidationError(_("Exit codes: numbers from 0 to 255."))
        return [int(word) for word in words]

    def payload(self) -> dict[str, Any]:
        asked = self.cleaned_data
        words = asked["arguments"].removesuffix("\n").split("\n") if asked["arguments"] else []
        optional = {"stdin": asked["stdin"], "env": asked["env"]}
        if asked["expect_exit"] != [0]:
            optional["expect_exit"] = asked["expect_exit"]
        return {"argv": [asked["program"], *words]} | {name: value for name, value in optional.items() if value}

    def refuse_payload(self, pointer: str, sentence: str) -> None:
        if pointer.startswith("/argv/"):
            number = int(pointer.removeprefix("/argv/"))
            self.add_error(
                "arguments" if number else "program",
                _("Line %(number)s: %(sentence)s") % {"number": number, "sentence": sentence} if number else sentence,
            )
        else:
            super().refuse_payload(pointer, sentence)

    @classmethod
    def initial_of(cls, payload: Mapping[str, Any]) -> dict[str, Any]:
        program, *words = payload.get("argv") or [""]
        return {
            "program": program,
            "arguments": "\n".join(words),
            "stdin": payload.get("stdin", ""),
            "env": "\n".join(f"{name}={value}" for name, value in payload.get("env", {}).items()),
            "expect_exit": ", ".join(str(code) for code in payload.get("expect_exit", [0])),
        }


def runnable(org: Org) -> list[str]:
    """The programs this organisation may run here."""
    return [path for path in org.shell_programs if path in settings.SHELL_PROGRAMS]
