"""What people fill in: accounts, organisations and invitations."""

from typing import Any, cast

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator, validate_email
from django.utils.translation import gettext_lazy as _

from orgs.accounts import check_current_password
from orgs.models import MAX_WEIGHT, ROLE_CHOICES, USERNAME_PATTERN, User
from orgs.names import NAME_MAX, NAME_MIN, check_printable, check_username_free
from orgs.roles import Role

PASSWORD_MAX = 256
REASON_MAX = 200
MOST_OF_A_QUOTA = 10**15
ORG_NAME: dict[str, Any] = {"min_length": NAME_MIN, "max_length": NAME_MAX, "validators": [check_printable]}
EXPIRIES: list[tuple[int | str, Any]] = [
    (7, _("in a week")),
    (30, _("in 30 days")),
    (90, _("in 90 days")),
    (365, _("in a year")),
    ("", _("never")),
]
PASSWORD_HELP = _("At least 8 characters; not a common password, nothing like your name or address.")


def text(**attributes: Any) -> forms.TextInput:
    return forms.TextInput(attributes)


def name_input(**attributes: Any) -> forms.TextInput:
    """For usernames, which no keyboard should correct."""
    return text(autocapitalize="none", spellcheck="false", autocomplete="username", **attributes)


def password(label: Any, autocomplete: str, help_text: Any = "") -> forms.CharField:
    widget = forms.PasswordInput({"autocomplete": autocomplete})
    return forms.CharField(label=label, strip=False, max_length=PASSWORD_MAX, widget=widget, help_text=help_text)


class SignInForm(forms.Form):
    username = forms.CharField(label=_("Username"), max_length=150, widget=name_input(autofocus=True))
    password = password(_("Password"), "current-password")


class SignUpForm(forms.Form):
    username = forms.CharField(
        label=_("Username"),
        min_length=3,
        max_length=32,
        widget=name_input(autofocus=True),
        validators=[
            RegexValidator(
                USERNAME_PATTERN, _("Letters, digits, dots, dashes and underscores, starting with a letter or digit.")
            ),
            check_username_free,
        ],
        help_text=_("3 to 32 letters, digits, dots, dashes or underscores."),
    )
    email = forms.EmailField(label=_("E-mail"), max_length=254, widget=forms.EmailInput({"autocomplete": "email"}))
    password = password(_("Password"), "new-password", PASSWORD_HELP)
    organisation = forms.CharField(
        label=_("Organisation"),
        required=False,
        widget=text(autocomplete="organization"),
        help_text=_("A new one, with you as its admin. Leave it empty to join others by invitation."),
        **ORG_NAME,
    )

    def clean_password(self) -> str:
        person = User(username=self.cleaned_data.get("username", ""), email=self.cleaned_data.get("email", ""))
        validate_password(self.cleaned_data["password"], person)
        return str(self.cleaned_data["password"])


class EmailForm(forms.Form):
    email = forms.EmailField(label=_("E-mail"), max_length=254, widget=forms.EmailInput({"autocomplete": "email"}))


class CurrentPasswordForm(forms.Form):
    current_password = password(_("Current password"), "current-password")

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_current_password(self) -> str:
        check_current_password(self.user, self.cleaned_data["current_password"])
        return str(self.cleaned_data["current_password"])


class RemovalForm(CurrentPasswordForm):
    """His own account, for good."""


class PasswordForm(CurrentPasswordForm):
    new_password = password(_("New password"), "new-password", PASSWORD_HELP)

    def clean_new_password(self) -> str:
        validate_password(self.cleaned_data["new_password"], self.user)
        return str(self.cleaned_data["new_password"])


class OrgForm(forms.Form):
    name = forms.CharField(label=_("Name"), widget=text(autocomplete="off"), **ORG_NAME)


class RoleForm(forms.Form):
    role = forms.ChoiceField(label=_("Role"), choices=ROLE_CHOICES, initial=Role.OPERATOR)


class InviteForm(RoleForm):
    who = forms.CharField(
        label=_("Username or e-mail address"),
        max_length=254,
        widget=text(autocapitalize="none", spellcheck="false", autocomplete="off"),
        help_text=_("For an address you get a link to send; whoever opens it can join."),
    )
    field_order = ("who", "role")

    def clean_who(self) -> User | str:
        """The person meant, or the address."""
        who = str(self.cleaned_data["who"])
        if "@" in who:
            validate_email(who)
            return who
        person = User.objects.named(who).filter(is_active=True).first()
        if person is None:
            raise ValidationError(
                _("Nobody has this username. Use an e-mail address to invite somebody new."), "unknown"
            )
        return person

    @property
    def person(self) -> User | None:
        who = self.cleaned_data["who"]
        return who if isinstance(who, User) else None

    @property
    def email(self) -> str:
        return "" if self.person else cast(str, self.cleaned_data["who"])


class KeyForm(forms.Form):
    name = forms.CharField(
        label=_("Name"),
        max_length=64,
        validators=[check_printable],
        widget=text(autocomplete="off"),
        help_text=_("For you to tell it by: what will use it."),
    )
    role = forms.ChoiceField(label=_("Role"))
    expires_in_days = forms.TypedChoiceField(
        label=_("Expires"),
        coerce=int,
        empty_value=None,
        required=False,
        initial=90,
        choices=[
            (7, _("in a week")),
            (30, _("in 30 days")),
            (90, _("in 90 days")),
            (365, _("in a year")),
            ("", _("never")),
        ],
    )

    def __init__(self, *args: Any, roles: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choice = cast(forms.ChoiceField, self.fields["role"])
        choice.choices = [(role, role.replace("_", " ")) for role in roles]


class RotationForm(forms.Form):
    overlap_hours = forms.TypedChoiceField(
        label=_("The old one goes on for"),
        coerce=int,
        initial=24,
        choices=[(0, _("no longer")), (1, _("an hour")), (24, _("a day")), (168, _("a week"))],
    )


def quota(label: Any) -> forms.IntegerField:
    return forms.IntegerField(
        label=label,
        required=False,
        min_value=0,
        max_value=MOST_OF_A_QUOTA,
        widget=forms.NumberInput({"autocomplete": "off", "placeholder": _("as everybody")}),
    )


class PlatformOrgForm(forms.Form):
    """How much an organisation gets; what is left empty is as the deployment's settings say."""

    weight = forms.FloatField(
        label=_("Parts of shared queues"),
        min_value=0.01,
        max_value=MAX_WEIGHT,
        widget=forms.NumberInput({"autocomplete": "off", "step": "any"}),
    )
    max_waiting_jobs = quota(_("Waiting jobs"))
    max_payload_bytes = quota(_("Bytes of payloads"))
    max_schedules = quota(_("Schedules"))
    max_artefact_bytes = quota(_("Bytes of files"))


class SuspensionForm(forms.Form):
    reason = forms.CharField(
        label=_("Why, for its members to read"),
        max_length=REASON_MAX,
        validators=[check_printable],
        widget=text(autocomplete="off"),
    )
