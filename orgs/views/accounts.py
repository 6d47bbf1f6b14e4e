"""Pages of one's own account: sign in, up and out, profile, theme."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login, logout, update_session_auth_hash
from django.core.exceptions import ValidationError
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters

from orgs import accounts, rates, removal
from orgs.errors import BadCredentials, Conflict, RateLimited
from orgs.forms import EmailForm, PasswordForm, RemovalForm, SignInForm, SignUpForm
from orgs.models import Membership
from orgs.pages import open_page, signed_in_page
from orgs.scope import person

THEMES = ("light", "dark", "system")
THEME_SECONDS = 365 * 24 * 3600
INVALID = 422
MOST_SIGN_INS = 50


@sensitive_post_parameters("password")
@open_page(("GET", "POST"))
def sign_in(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        if request.user.is_authenticated:
            return HttpResponseRedirect(wanted_next(request))
        return entrance(request, "orgs/sign_in.html", SignInForm())
    form = SignInForm(request.POST)
    if form.is_valid():
        try:
            user = accounts.sign_in(form.cleaned_data["username"], form.cleaned_data["password"], request=request)
        except BadCredentials as error:
            form.add_error(None, str(error.detail))
        except RateLimited as error:
            return too_often(request, "orgs/sign_in.html", form, error)
        else:
            login(request, user)
            return HttpResponseRedirect(wanted_next(request))
    return entrance(request, "orgs/sign_in.html", form)


@sensitive_post_parameters("password")
@open_page(("GET", "POST"))
def sign_up(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        if request.user.is_authenticated:
            return HttpResponseRedirect(wanted_next(request))
        return entrance(request, "orgs/sign_up.html", SignUpForm())
    form = SignUpForm(request.POST)
    try:
        # before the form is looked at: it says which names are taken
        rates.registering(request)
    except RateLimited as error:
        return too_often(request, "orgs/sign_up.html", SignUpForm(initial=request.POST.dict()), error)
    if form.is_valid():
        try:
            user = accounts.register(**form.cleaned_data, request=request)
        except ValidationError as error:
            form.add_error("username", error)
        else:
            login(request, user)
            return HttpResponseRedirect(wanted_next(request))
    return entrance(request, "orgs/sign_up.html", form)


@signed_in_page(("POST",))
def sign_out(request: HttpRequest) -> HttpResponse:
    accounts.end_session(person(request), request=request)
    logout(request)
    return redirect("sign-in")


@open_page(("POST",))
def theme(request: HttpRequest) -> HttpResponse:
    """What app.js does at once, without a script."""
    response = HttpResponseRedirect(wanted_next(request))
    chosen = request.POST.get("theme")
    if chosen in THEMES:
        response.set_cookie("theme", chosen, max_age=THEME_SECONDS, samesite="Lax", secure=settings.HTTPS)
    return response


@open_page(("POST",))
def language(request: HttpRequest) -> HttpResponse:
    """The language of the pages, in this browser."""
    response = HttpResponseRedirect(wanted_next(request))
    chosen = request.POST.get("language")
    if chosen in dict(settings.LANGUAGES):
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME, chosen, max_age=THEME_SECONDS, samesite="Lax", secure=settings.HTTPS
        )
    return response


@sensitive_post_parameters("current_password", "new_password")
@signed_in_page(("GET", "POST"))
def profile(request: HttpRequest) -> HttpResponse:
    """Two forms that come here; the hidden field `form` says which was sent."""
    user = person(request)
    email_form = EmailForm(initial={"email": user.email})
    password_form = PasswordForm(user=user)
    if request.method == "POST" and request.POST.get("form") == "password":
        rates.trying_password(request, user)
        password_form = PasswordForm(request.POST, user=user)
        if password_form.is_valid():
            accounts.change_password(user, password_form.cleaned_data["new_password"], request=request)
            update_session_auth_hash(request, user)
            messages.success(request, _("Your password is changed. Everywhere else you are signed out."))
            return redirect("profile")
    elif request.method == "POST":
        email_form = EmailForm(request.POST)
        if email_form.is_valid():
            accounts.change_email(user, email_form.cleaned_data["email"], request=request)
            messages.success(request, _("Your e-mail address is changed."))
            return redirect("profile")
    status = INVALID if request.method == "POST" else 200
    return profile_page(request, status, email_form=email_form, password_form=password_form)


@sensitive_post_parameters("current_password")
@signed_in_page(("POST",))
def remove(request: HttpRequest) -> HttpResponse:
    """The person's own account, for good."""
    user = person(request)
    rates.trying_password(request, user)
    form, status = RemovalForm(request.POST, user=user, prefix="removal"), INVALID
    if form.is_valid():
        try:
            removal.remove(user, actor=user, request=request)
        except Conflict as error:
            form.add_error(None, str(error.detail))
            status = error.status_code
        else:
            logout(request)
            messages.success(request, _("Your account is removed."))
            return redirect("sign-in")
    return profile_page(request, status, removal_form=form)


def profile_page(request: HttpRequest, status: int, **forms: Form) -> HttpResponse:
    user = person(request)
    context = {
        "email_form": EmailForm(initial={"email": user.email}),
        "password_form": PasswordForm(user=user),
        "removal_form": RemovalForm(user=user, prefix="removal"),
        "sign_ins": accounts.open_sign_ins(user).order_by("-created_at")[:MOST_SIGN_INS],
        "memberships": Membership.objects.filter(user=user).select_related("org").order_by("org__name"),
        **forms,
    }
    return render(request, "orgs/profile.html", context, status=status)


def entrance(
    request: HttpRequest, template: str, form: SignInForm | SignUpForm, status: int = 0, refusal: str = ""
) -> HttpResponse:
    """A page for those not signed in, with where they go afterwards."""
    onward = wanted_next(request)
    context = {"form": form, "next": "" if onward == settings.LOGIN_REDIRECT_URL else onward, "refusal": refusal}
    return render(request, template, context, status=status or (INVALID if form.is_bound else 200))


def too_often(request: HttpRequest, template: str, form: SignInForm | SignUpForm, error: RateLimited) -> HttpResponse:
    response = entrance(request, template, form, status=429, refusal=str(error.detail))
    response["Retry-After"] = str(error.wait)
    return response


def wanted_next(request: HttpRequest) -> str:
    """Where to go on: `next`, if it is an address of this site, but never a page for those not signed in."""
    asked = request.POST.get("next") or request.GET.get("next") or ""
    local = asked.startswith("/") and url_has_allowed_host_and_scheme(
        asked, {request.get_host()}, require_https=request.is_secure()
    )
    entrances = (reverse("sign-in"), reverse("sign-up"))
    if not local or (request.user.is_authenticated and asked.split("?")[0] in entrances):
        return settings.LOGIN_REDIRECT_URL
    return asked
