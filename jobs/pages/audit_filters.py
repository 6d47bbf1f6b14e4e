"""The filter of the audit trail as a form."""

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from jobs.audit_list import AuditFilters
from jobs.forms.fields import moment_field
from jobs.pages.filters import NarrowingForm, later
from orgs.models import Org


class AuditForm(NarrowingForm):
    """The audit trail."""

    actor = forms.CharField(
        label=_("Who"), required=False, max_length=64, widget=forms.TextInput(attrs={"list": "people"})
    )
    action = forms.CharField(
        label=_("Act"), required=False, max_length=64, widget=forms.TextInput(attrs={"list": "acts"})
    )
    target = forms.CharField(label=_("On what"), required=False, max_length=128)
    job = forms.UUIDField(label=_("About job"), required=False)
    address = forms.GenericIPAddressField(label=_("From address"), required=False)
    after = moment_field(_("From (UTC)"))
    before = moment_field(_("Before (UTC)"))

    MORE = ("after", "before", "job", "correlation_id", "address")

    def __init__(self, data: QueryDict, org: Org) -> None:
        super().__init__(data, org)
        self.fields["within"].label = _("In the last")

    def filters(self) -> AuditFilters:
        asked = self.cleaned_data
        same = ("actor", "action", "target", "correlation_id", "job", "before", "address")
        return AuditFilters(after=later(asked["after"], asked["within"]), **{name: asked[name] for name in same})
