"""Paths of the pages."""

from django.urls import path

from orgs import converters  # noqa: F401  (registers `username`)
from orgs.views import accounts, keys, members, organisations, sessions

urlpatterns = [
    path("sign-in/", accounts.sign_in, name="sign-in"),
    path("sign-up/", accounts.sign_up, name="sign-up"),
    path("sign-out/", accounts.sign_out, name="sign-out"),
    path("theme/", accounts.theme, name="theme"),
    path("language/", accounts.language, name="language"),
    path("profile/", accounts.profile, name="profile"),
    path("profile/sign-outs/", sessions.end_all, name="profile-sign-out-everywhere"),
    path("profile/sign-ins/<str:sign_in_id>/end/", sessions.end_one, name="profile-sign-in-end"),
    path("profile/removal/", accounts.remove, name="profile-remove"),
    path("organisations/", organisations.organisations, name="organisations"),
    path("organisations/switch/", organisations.switch, name="organisation-switch"),
    path("organisations/leave/", organisations.leave, name="organisation-leave"),
    path("organisations/rename/", organisations.rename, name="organisation-rename"),
    path("organisations/closing/", organisations.close, name="organisation-close"),
    path("organisations/restoration/", organisations.restore, name="organisation-restore"),
    path("invitations/<int:id>/", organisations.invitation, name="invitation"),
    path("invitations/<int:id>/acceptance/", organisations.accept, name="invitation-accept"),
    path("invitations/<int:id>/refusal/", organisations.decline, name="invitation-decline"),
    path("api-keys/", keys.api_keys, name="api-keys"),
    path("api-keys/<slug:key_id>/rotation/", keys.rotate, name="api-key-rotate"),
    path("api-keys/<slug:key_id>/revocation/", keys.revoke, name="api-key-revoke"),
    path("members/", members.members, name="members"),
    path("members/<username:username>/role/", members.change_role, name="member-role"),
    path("members/<username:username>/removal/", members.remove, name="member-remove"),
    path("members/invitations/<int:id>/withdrawal/", members.withdraw, name="invitation-withdraw"),
]
