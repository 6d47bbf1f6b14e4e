"""Why an act on organisations or accounts was refused. Each is an HTTP answer and a sentence for people."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from rest_framework.exceptions import APIException, AuthenticationFailed, Throttled

from orgs.models import Org
from orgs.roles import OrgState


class Conflict(APIException):
    status_code = 409
    default_code = "conflict"
    default_detail = _("This is not possible in the present state.")


class LastOrgAdmin(Conflict):
    default_code = "last_org_admin"
    default_detail = _("The organisation would be left without an org_admin. Make somebody else org_admin first.")


class LastOfOrganisations(Conflict):
    """A person's account cannot go yet: organisations would be without an org_admin. Of each, what comes first."""

    default_code = "last_org_admin"

    def __init__(self, found: list[dict[str, str]]) -> None:
        ways = {"appoint": _("make somebody else org_admin of %(orgs)s"), "close": _("close %(orgs)s")}
        first = [words % {"orgs": slugs} for way, words in ways.items() if (slugs := slugs_of(found, way))]
        left = _("Organisations would be left without an org_admin. First %(what)s.")
        super().__init__(left % {"what": str(_(", and ")).join(first)})
        self.members = {"organisations": found}


def slugs_of(found: list[dict[str, str]], way: str) -> str:
    return ", ".join(one["slug"] for one in found if one["first"] == way)


class LastPlatformAdmin(Conflict):
    default_code = "last_platform_admin"
    default_detail = _("This is the last active platform admin. Make somebody else platform admin first.")


class AlreadyRemoved(Conflict):
    default_code = "already_removed"
    default_detail = _("This account was removed. Nothing brings it back.")


class TooManyKeys(Conflict):
    default_code = "too_many_keys"
    default_detail = _("You have too many keys: revoke one first.")


class AlreadyMember(Conflict):
    default_code = "already_member"
    default_detail = _("This person is a member already.")


class AlreadyInvited(Conflict):
    default_code = "already_invited"
    default_detail = _("An invitation to this person is open already. Withdraw it to send another.")


class InvitationClosed(Conflict):
    default_code = "invitation_closed"
    default_detail = _("This invitation was answered or withdrawn.")


class InvitationExpired(Conflict):
    default_code = "invitation_expired"
    default_detail = _("This invitation has expired. Ask for a new one.")


class ErasureBegun(Conflict):
    default_code = "erasure_begun"
    default_detail = _("Its day has come: the organisation is being erased.")


class OrgNotActive(PermissionDenied):
    """What was asked for is not to be had while the organisation is in this state, whoever asks."""

    def __init__(self, org: Org) -> None:
        self.code = f"organisation_{org.state}"
        # what the problem says beside its sentence
        self.members: dict[str, Any] = {}
        if org.state == OrgState.SUSPENDED:
            why = f": {org.suspension_reason}" if org.suspension_reason else "."
            super().__init__(_("%(org)s is suspended") % {"org": org.name} + why)
            self.members["reason"] = org.suspension_reason
        else:
            assert org.erase_at is not None
            closed = _("%(org)s is closed and will be erased on %(day)s. Until then an org_admin may restore it.")
            super().__init__(closed % {"org": org.name, "day": date_format(org.erase_at, "j F Y")})
            self.members["erase_at"] = f"{org.erase_at:%Y-%m-%dT%H:%M:%S.%fZ}"


class BadCredentials(AuthenticationFailed):
    """One answer for an unknown name, a wrong password and a closed account."""

    default_code = "bad_credentials"
    default_detail = _("The username or the password is not right.")


class AccountClosed(AuthenticationFailed):
    """Closed or removed since the request began."""

    default_code = "account_closed"
    default_detail = _("This account is closed.")


class BadRefreshToken(AuthenticationFailed):
    default_code = "bad_refresh_token"
    default_detail = "The refresh token is not valid. Sign in again."


class RateLimited(Throttled):
    """Too much in too short a time. `wait` is in whole seconds."""

    default_code = "quota_exceeded"

    def __init__(self, wait: int, policies: list[str]) -> None:
        words = ngettext(
            "Too many requests. Try again in %(wait)d second.",
            "Too many requests. Try again in %(wait)d seconds.",
            wait,
        )
        super().__init__(detail=words % {"wait": wait})
        self.wait = wait
        # what the problem says beside its sentence (draft-ietf-httpapi-ratelimit-headers)
        self.members = {"violated-policies": policies}
