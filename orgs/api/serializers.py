"""The shapes of accounts, organisations and their people."""

from typing import Any, cast

from django.contrib.auth.password_validation import validate_password
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from orgs.models import USERNAME_PATTERN, Invitation, Membership, User
from orgs.names import NAME_MAX, NAME_MIN, check_printable, check_username_free
from orgs.roles import ALIASES, OrgState, Role, parse
from orgs.scope import acting_org
from orgs.serializers import StrictSerializer

# Longer ones are no harder to guess, only dearer to hash.
PASSWORD_MAX = 256
TOKEN_MAX = 4_096
ROLES = [role.value for role in Role]
ROLE_WORDS = [*ROLES, *ALIASES]
STATES = [state.value for state in OrgState]


class PasswordField(serializers.CharField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            **{"max_length": PASSWORD_MAX, "trim_whitespace": False, "style": {"input_type": "password"}, **kwargs}
        )


class RoleField(serializers.ChoiceField):
    """A role by its name or alias."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(ROLE_WORDS, **kwargs)

    def to_internal_value(self, data: Any) -> Role:
        return parse(super().to_internal_value(data))


class OrgNameField(serializers.CharField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"min_length": NAME_MIN, "max_length": NAME_MAX, "validators": [check_printable], **kwargs})


# --- Accounts ---------------------------------------------------------------------------------------------------


class RegisterSerializer(StrictSerializer):
    username = serializers.RegexField(
        USERNAME_PATTERN,
        min_length=3,
        max_length=32,
        trim_whitespace=False,
        error_messages={"invalid": "Letters, digits, dots, dashes and underscores, starting with a letter or digit."},
        validators=[check_username_free],
    )
    email = serializers.EmailField(max_length=254)
    password = PasswordField(help_text="At least 8 characters; no common one, nothing like the name or the address.")
    organisation = OrgNameField(
        required=False, allow_blank=True, default="", help_text="A new organisation to be org_admin of."
    )

    def validate_password(self, password: str) -> str:
        sent = cast(dict[str, Any], self.initial_data)
        person = User(username=str(sent.get("username", ""))[:254], email=str(sent.get("email", ""))[:254])
        validate_password(password, person)
        return password


class LoginSerializer(StrictSerializer):
    username = serializers.CharField(max_length=150, trim_whitespace=False)
    password = PasswordField()


class RefreshTokenSerializer(StrictSerializer):
    refresh = serializers.CharField(max_length=TOKEN_MAX)


class PasswordSerializer(StrictSerializer):
    current_password = PasswordField()
    new_password = PasswordField()

    def validate_current_password(self, password: str) -> str:
        user: User = self.context["request"].user
        if not user.check_password(password):
            raise serializers.ValidationError("This is not your password.", "wrong_password")
        return password

    def validate_new_password(self, password: str) -> str:
        validate_password(password, self.context["request"].user)
        return password


class RemovalSerializer(StrictSerializer):
    current_password = PasswordField()

    validate_current_password = PasswordSerializer.validate_current_password


class ProfileChangeSerializer(StrictSerializer):
    email = serializers.EmailField(max_length=254, required=False)


class TokensSerializer(serializers.Serializer[Any]):
    """Send `access` with every call, and `refresh` once, to auth/refresh/, for the next two."""

    access = serializers.CharField()
    refresh = serializers.CharField()


class ProfileMembershipSerializer(serializers.Serializer[Membership]):
    org = serializers.CharField(source="org.slug")
    name = serializers.CharField(source="org.name")
    role = serializers.ChoiceField(ROLES)


class ProfileSerializer(serializers.Serializer[User]):
    id = serializers.IntegerField()
    username = serializers.CharField()
    email = serializers.CharField(help_text="Empty where none was given.")
    is_platform_admin = serializers.BooleanField(source="is_superuser")
    active_org = serializers.SerializerMethodField(help_text="Where calls without X-Org act.")
    memberships = serializers.SerializerMethodField()

    def get_active_org(self, user: User) -> str | None:
        org = acting_org(user)
        return org.slug if org else None

    @extend_schema_field(ProfileMembershipSerializer(many=True))
    def get_memberships(self, user: User) -> Any:
        rows = user.memberships.select_related("org").order_by("org__name", "pk")
        return [ProfileMembershipSerializer(row).data for row in rows]


class SignedInSerializer(TokensSerializer):
    user = ProfileSerializer()


# --- Organisations ----------------------------------------------------------------------------------------------


class OrgNameSerializer(StrictSerializer):
    name = OrgNameField()


class OrgChangeSerializer(StrictSerializer):
    name = OrgNameField(required=False)


class OrgSerializer(serializers.Serializer[Any]):
    """An organisation as one person has it: of a Membership or a Scope."""

    slug = serializers.CharField(source="org.slug")
    name = serializers.CharField(source="org.name")
    role = serializers.ChoiceField(ROLES)
    active = serializers.SerializerMethodField(help_text="Whether calls without X-Org act here.")
    created_at = serializers.DateTimeField(source="org.created_at")
    state = serializers.ChoiceField(STATES, source="org.state")
    suspension_reason = serializers.CharField(source="org.suspension_reason", help_text="Empty unless suspended.")
    erase_at = serializers.DateTimeField(
        source="org.erase_at", allow_null=True, help_text="When all of it is erased; null: its end was not asked for."
    )

    def get_active(self, of: Any) -> bool:
        return bool(of.org == self.context["acting_org"])


class ClosingSerializer(StrictSerializer):
    confirm = serializers.CharField(
        max_length=40, trim_whitespace=False, help_text="The organisation's slug, so that it is not closed unawares."
    )

    def validate_confirm(self, confirm: str) -> str:
        slug = self.context["request"].parser_context["kwargs"]["slug"]
        if confirm != slug:
            raise serializers.ValidationError(f"To close this organisation, send {slug!r}.", "not_confirmed")
        return confirm


class MemberSerializer(serializers.Serializer[Membership]):
    username = serializers.CharField(source="user.username")
    role = serializers.ChoiceField(ROLES)
    joined_at = serializers.DateTimeField(source="created_at")


class RoleChangeSerializer(StrictSerializer):
    role = RoleField(help_text="`user` is another word for operator.")


class InviteSerializer(StrictSerializer):
    """One of username and email."""

    username = serializers.CharField(required=False, max_length=32)
    email = serializers.EmailField(required=False, max_length=254)
    role = RoleField(help_text="`user` is another word for operator.")

    def validate_username(self, username: str) -> User:
        person = User.objects.named(username).filter(is_active=True).first()
        if person is None:
            raise serializers.ValidationError("Nobody has this username.", "unknown_user")
        return person

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("username" in attrs) == ("email" in attrs):
            raise serializers.ValidationError("Name one of username and email.", "one_of")
        return attrs


class InvitationSerializer(serializers.Serializer[Invitation]):
    id = serializers.IntegerField()
    org = serializers.CharField(source="org.slug")
    org_name = serializers.CharField(source="org.name")
    username = serializers.CharField(source="user.username", default=None, allow_null=True)
    email = serializers.CharField(help_text="Empty for an invitation by username.")
    role = serializers.ChoiceField(ROLES)
    state = serializers.ChoiceField(Invitation.STATES)
    invited_by = serializers.CharField(source="invited_by.username", default=None, allow_null=True)
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()


class NewInvitationSerializer(InvitationSerializer):
    token = serializers.CharField(help_text="Shown this once. Empty for an invitation by username.", allow_blank=True)
    url = serializers.CharField(help_text="The page to send to the invited person. Empty likewise.", allow_blank=True)


class AnswerSerializer(StrictSerializer):
    token = serializers.CharField(
        required=False,
        allow_blank=True,
        default="",
        max_length=128,
        help_text="For an invitation to an e-mail address.",
    )


# --- The platform -----------------------------------------------------------------------------------------------


class SearchSerializer(serializers.Serializer[Any]):
    q = serializers.CharField(required=False, default="", allow_blank=True, max_length=100)


class PlatformUserSerializer(serializers.Serializer[User]):
    id = serializers.IntegerField()
    username = serializers.CharField()
    email = serializers.CharField(help_text="Empty where none was given.")
    is_active = serializers.BooleanField(help_text="False while suspended, and of who was removed.")
    removed_at = serializers.DateTimeField(allow_null=True)
    is_platform_admin = serializers.BooleanField(source="is_superuser")
    registered_at = serializers.DateTimeField(source="date_joined")
    last_login_at = serializers.DateTimeField(source="last_login", allow_null=True)
    memberships = ProfileMembershipSerializer(many=True)


class ReasonSerializer(StrictSerializer):
    reason = serializers.CharField(
        required=False,
        allow_blank=True,
        default="",
        max_length=200,
        validators=[check_printable],
        help_text="For the audit trail: never who he was.",
    )
