"""What people fill in: accounts, organisations and invitations."""

from typing import Any, cast

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator, validate_email

from orgs.accounts import check_current_password
from orgs.models import ROLE_CHOICES, USERNAME_PATTERN, User
from orgs.names import NAME_MAX, NAME_MIN, check_printable, check_username_free
from orgs.roles import Role

PASSWORD_MAX = 256
ORG_NAME: dict[str, Any] = {"min_length": NAME_MIN, "max_length": NAME_MAX, "validators": [check_printable]}
PASSWORD_HELP = "At least 8 characters; not a common password, nothing like your name or address."  # noqa: S105


def text(**attributes: Any) -> forms.TextInput:
    return forms.TextInput(attributes)


def name_input(**attributes: Any) -> forms.TextInput:
    """For usernames, which no keyboard should correct."""
    return text(autocapitalize="none", spellcheck="false", autocomplete="username", **attributes)


def password(label: str, autocomplete: str, help_text: str = "") -> forms.CharField:
    widget = forms.PasswordInput({"autocomplete": autocomplete})
    return forms.CharField(label=label, strip=False, max_length=PASSWORD_MAX, widget=widget, help_text=help_text)


class SignInForm(forms.Form):
    username = forms.CharField(max_length=150, widget=name_input(autofocus=True))
    password = password("Password", "current-password")


class SignUpForm(forms.Form):
    username = forms.CharField(
        min_length=3,
        max_length=32,
        widget=name_input(autofocus=True),
        validators=[
            RegexValidator(
                USERNAME_PATTERN, "Letters, digits, dots, dashes and underscores, starting with a letter or digit."
            ),
            check_username_free,
        ],
        help_text="3 to 32 letters, digits, dots, dashes or underscores.",
    )
    email = forms.EmailField(label="E-mail", max_length=254, widget=forms.EmailInput({"autocomplete": "email"}))
    password = password("Password", "new-password", PASSWORD_HELP)
    organisation = forms.CharField(
        required=False,
        widget=text(autocomplete="organization"),
        help_text="A new one, with you as its admin. Leave it empty to join others by invitation.",
        **ORG_NAME,
    )

    def clean_password(self) -> str:
        person = User(username=self.cleaned_data.get("username", ""), email=self.cleaned_data.get("email", ""))
        validate_password(self.cleaned_data["password"], person)
        return str(self.cleaned_data["password"])


class EmailForm(forms.Form):
    email = forms.EmailField(label="E-mail", max_length=254, widget=forms.EmailInput({"autocomplete": "email"}))


class PasswordForm(forms.Form):
    current_password = password("Current password", "current-password")
    new_password = password("New password", "new-password", PASSWORD_HELP)

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_current_password(self) -> str:
        check_current_password(self.user, self.cleaned_data["current_password"])
        return str(self.cleaned_data["current_password"])

    def clean_new_password(self) -> str:
        validate_password(self.cleaned_data["new_password"], self.user)
        return str(self.cleaned_data["new_password"])


class OrgForm(forms.Form):
    name = forms.CharField(widget=text(autocomplete="off"), **ORG_NAME)


class RoleForm(forms.Form):
    role = forms.ChoiceField(choices=ROLE_CHOICES, initial=Role.OPERATOR)


class InviteForm(RoleForm):
    who = forms.CharField(
        label="Username or e-mail address",
        max_length=254,
        widget=text(autocapitalize="none", spellcheck="false", autocomplete="off"),
        help_text="For an address you get a link to send; whoever opens it can join.",
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
            raise ValidationError("Nobody has this username. Use an e-mail address to invite somebody new.", "unknown")
        return person

    @property
    def person(self) -> User | None:
        who = self.cleaned_data["who"]
        return who if isinstance(who, User) else None

    @property
    def email(self) -> str:
        return "" if self.person else cast(str, self.cleaned_data["who"])
