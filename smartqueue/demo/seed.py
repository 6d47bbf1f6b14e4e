"""The demo: two organisations, their people with random passwords, a finished week, and a first model."""

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from secrets import token_urlsafe

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.utils import timezone

from jobs.models import ModelVersion
from jobs.training import AlreadyTraining, TooFewRuns, train_org
from orgs import accounts, audit
from orgs.models import AuditEntry, Membership, Org, User
from orgs.roles import Role
from smartqueue.demo.history import write_week
from smartqueue.demo.kinds import ACME, GLOBEX, dead_letters
from smartqueue.state import locked, prepare, write_private
from smartqueue.welcome import Login, demo_logins

ORGS = {"acme": "Acme", "globex": "Globex"}
# Who is what where; a platform admin belongs to no organisation.
PEOPLE: dict[str, tuple[Role, str] | None] = {
    "ada": (Role.ORG_ADMIN, "acme"),
    "otto": (Role.OPERATOR, "acme"),
    "vera": (Role.VIEWER, "acme"),
    "gwen": (Role.ORG_ADMIN, "globex"),
    "root": None,
}
MARK = "demo.seed"
ACME_JOBS, GLOBEX_JOBS = 1_850, 90
TRAIN_SECONDS = 10.0


def seed(state: Path, *, model: bool = True) -> str:
    """Make the demo, its list of logins and a first model where they are missing. Returns what was done, in words."""
    prepare(state)
    with locked(state / "demo.lock"):
        acme = Org.objects.filter(slug="acme").first()
        if acme is None and not taken():
            done = make(state)
        elif acme is None or not ours(acme):
            return "No demo was made: its names belong to others here."
        else:
            done = repair(state, acme)
    if model:
        train_first_model()
    return done


def taken() -> bool:
    names = User.objects.filter(username__in=PEOPLE)
    return names.exists() or Org.objects.filter(slug__in=ORGS).exists()


def ours(acme: Org) -> bool:
    """The seed is the first thing that was ever written down of the organisation; nobody else can write it."""
    first = AuditEntry.objects.filter(org=acme).order_by("id").first()
    return first is not None and first.action == MARK


def make(state: Path) -> str:
    logins = [login(username) for username in PEOPLE]
    with ThreadPoolExecutor() as pool, transaction.atomic():
        # A good hash takes a quarter of a second: they are made while the history is written.
        hashes = pool.map(make_password, [one.password for one in logins])
        orgs = {
            slug: Org.objects.create(slug=slug, name=name, shell_programs=settings.SHELL_PROGRAMS)
            for slug, name in ORGS.items()
        }
        people = {username: make_person(username, orgs) for username in PEOPLE}
        now = timezone.now()
        jobs = write_week(orgs["acme"], people, ACME, jobs=ACME_JOBS, dead=dead_letters(), now=now)
        write_week(orgs["globex"], people, GLOBEX, jobs=GLOBEX_JOBS, dead=[], now=now)
        for user, password_hash in zip(people.values(), hashes, strict=True):
            user.password = password_hash
            user.save(update_fields=["password"])
        for org in orgs.values():
            audit.record(MARK, org=org, target=org.slug, people=[user.pk for user in people.values()])
    write(state, logins)
    return f"Made the demo: {jobs} jobs of acme's last week."


def make_person(username: str, orgs: dict[str, Org]) -> User:
    """One of the demo's people, who cannot sign in yet."""
    role, slug = PEOPLE[username] or (None, "acme")
    user = User(username=username, email=f"{username}@demo.invalid", active_org=orgs[slug])
    user.is_staff = user.is_superuser = role is None
    user.set_unusable_password()
    user.save()
    if role:
        Membership.objects.create(user=user, org=orgs[slug], role=role)
    return user


def repair(state: Path, acme: Org) -> str:
    """New passwords for those of the demo's people that the list has lost."""
    mark = AuditEntry.objects.filter(org=acme).order_by("id").values_list("detail", flat=True)[0]
    people = list(User.objects.filter(pk__in=mark["people"]).order_by("pk"))
    known = {one.username: one for one in demo_logins(state)}
    lost = [user for user in people if user.username not in known]
    if not lost:
        return "The demo is there already."
    for user in lost:
        known[user.username] = login(user.username)
        accounts.change_password(user, known[user.username].password)
    write(state, (known[user.username] for user in people))
    return f"The demo is there already; new passwords for {', '.join(user.username for user in lost)}."


def login(username: str) -> Login:
    """A new password for one of the demo's people."""
    role, org = PEOPLE.get(username) or ("platform admin", "every organisation")
    return Login(username, token_urlsafe(12), str(role), str(org))


def write(state: Path, logins: Iterable[Login]) -> None:
    write_private(state / "demo.json", json.dumps([asdict(one) for one in logins], indent=2))


def train_first_model() -> None:
    acme = Org.objects.get(slug="acme")
    if ModelVersion.objects.for_org(acme).exists():
        return
    try:
        train_org(acme, max_seconds=TRAIN_SECONDS)
    except (TooFewRuns, AlreadyTraining):
        return
