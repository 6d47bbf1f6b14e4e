"""Why an act on organisations or accounts was refused. Each is an HTTP answer and a sentence for people."""

from rest_framework.exceptions import APIException, AuthenticationFailed, Throttled


class Conflict(APIException):
    status_code = 409
    default_code = "conflict"
    default_detail = "This is not possible in the present state."


class LastOrgAdmin(Conflict):
    default_code = "last_org_admin"
    default_detail = "The organisation would be left without an org_admin. Make somebody else org_admin first."


class TooManyKeys(Conflict):
    default_code = "too_many_keys"
    default_detail = "You have too many keys: revoke one first."


class AlreadyMember(Conflict):
    default_code = "already_member"
    default_detail = "This person is a member already."


class AlreadyInvited(Conflict):
    default_code = "already_invited"
    default_detail = "An invitation to this person is open already. Withdraw it to send another."


class InvitationClosed(Conflict):
    default_code = "invitation_closed"
    default_detail = "This invitation was answered or withdrawn."


class InvitationExpired(Conflict):
    default_code = "invitation_expired"
    default_detail = "This invitation has expired. Ask for a new one."


class BadCredentials(AuthenticationFailed):
    """One answer for an unknown name, a wrong password and a closed account."""

    default_code = "bad_credentials"
    default_detail = "The username or the password is not right."


class BadRefreshToken(AuthenticationFailed):
    default_code = "bad_refresh_token"
    default_detail = "The refresh token is not valid. Sign in again."


class RateLimited(Throttled):
    """Too much in too short a time. `wait` is in whole seconds."""

    default_code = "quota_exceeded"

    def __init__(self, wait: int, policies: list[str]) -> None:
        super().__init__(detail=f"Too many requests. Try again in {wait} second{'s' if wait > 1 else ''}.")
        self.wait = wait
        # what the problem says beside its sentence (draft-ietf-httpapi-ratelimit-headers)
        self.members = {"violated-policies": policies}
