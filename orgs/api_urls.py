"""Paths under /api/v1/."""

from django.urls import path

from orgs import converters  # noqa: F401  (registers `username`)
from orgs.api import invitations, keys, orgs, platform, platform_users

urlpatterns = [
    path("orgs/", orgs.Orgs.as_view(), name="orgs"),
    path("orgs/<slug:slug>/", orgs.Org.as_view(), name="org"),
    path("orgs/<slug:slug>/restore/", orgs.Restoration.as_view(), name="org-restore"),
    path("orgs/<slug:slug>/activation/", orgs.Activation.as_view(), name="org-activation"),
    path("orgs/<slug:slug>/members/", orgs.Members.as_view(), name="org-members"),
    path("orgs/<slug:slug>/members/<username:username>/", orgs.Member.as_view(), name="org-member"),
    path("orgs/<slug:slug>/membership/", orgs.OwnMembership.as_view(), name="org-membership"),
    path("orgs/<slug:slug>/invitations/", invitations.OrgInvitations.as_view(), name="org-invitations"),
    path("orgs/<slug:slug>/invitations/<int:id>/", invitations.OrgInvitation.as_view(), name="org-invitation"),
    path("invitations/", invitations.MyInvitations.as_view(), name="my-invitations"),
    path("invitations/<int:id>/acceptance/", invitations.Acceptance.as_view(), name="invitation-acceptance"),
    path("invitations/<int:id>/refusal/", invitations.Refusal.as_view(), name="invitation-refusal"),
    path("keys/", keys.Keys.as_view(), name="keys"),
    path("keys/<slug:key_id>/", keys.Key.as_view(), name="key"),
    path("keys/<slug:key_id>/rotation/", keys.KeyRotation.as_view(), name="key-rotation"),
    path("worker-keys/", keys.WorkerKeys.as_view(), name="worker-keys"),
    path("worker-keys/<slug:key_id>/", keys.WorkerKey.as_view(), name="worker-key"),
    path("platform/users/", platform_users.Users.as_view(), name="platform-users"),
    path("platform/users/<username:username>/", platform_users.OneUser.as_view(), name="platform-user"),
    path("platform/users/<username:username>/suspend/", platform_users.Suspend.as_view(), name="platform-user-suspend"),
    path("platform/users/<username:username>/resume/", platform_users.Resume.as_view(), name="platform-user-resume"),
    path("platform/orgs/", platform.AllOrgs.as_view(), name="platform-orgs"),
    path("platform/orgs/<slug:slug>/", platform.OneOrg.as_view(), name="platform-org"),
    path("platform/orgs/<slug:slug>/suspend/", platform.Suspension.as_view(), name="platform-org-suspend"),
    path("platform/orgs/<slug:slug>/resume/", platform.Resumption.as_view(), name="platform-org-resume"),
]
