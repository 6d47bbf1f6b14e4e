"""Paths under /api/v1/auth/."""

from django.urls import path

from orgs.api import auth, sign_ins

urlpatterns = [
    path("register/", auth.Register.as_view(), name="auth-register"),
    path("login/", auth.Login.as_view(), name="auth-login"),
    path("refresh/", auth.Refresh.as_view(), name="auth-refresh"),
    path("logout/", auth.Logout.as_view(), name="auth-logout"),
    path("me/", auth.Me.as_view(), name="auth-me"),
    path("sign-ins/", sign_ins.SignIns.as_view(), name="auth-sign-ins"),
    path("sign-ins/<str:sign_in_id>/", sign_ins.OneSignIn.as_view(), name="auth-sign-in"),
    path("password/", auth.Password.as_view(), name="auth-password"),
]
