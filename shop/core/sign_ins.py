"""Signing in to the admin: who did, who failed, from where; and how long the next try must wait.

Every try is a row, written before the password is looked at, so that a hundred tries at once are a hundred
rows. Waits slow a stranger down and lock nobody out:

- A browser that has signed in to the account before has a count of its own. Whatever others try, from
  wherever, it isn't slowed by them.
- Any other browser shares a count with all of its network for this account. A stranger elsewhere doesn't add
  to it.
- Many failures of one network (all accounts), or of one account (all networks), only mean fewer free tries.

What remains: a stranger in the colleague's own network, and a browser that never signed in. They share one
try every few minutes, until the colleague uses another network or a browser that has signed in before.
"""

import logging
import math
import secrets
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core import signing
from django.db import connection, transaction
from django.db.models import Count, Max, Q, QuerySet
from django.db.models.functions import Now
from django.utils.crypto import salted_hmac

from shop.core import addresses
from shop.core.models import SignIn

log = logging.getLogger(__name__)

FREE_TRIES = 5  # wrong ones before the first wait
FREE_TRIES_UNDER_ATTACK = 1
WAIT_SECONDS = 5  # the first; each further failure doubles it
MAX_WAIT_SECONDS = 15 * 60
MEMORY = timedelta(hours=12)  # older failures don't count
ATTACK_MEMORY = timedelta(hours=1)
NETWORK_ATTACK_FAILURES = 30  # an office of ten colleagues who all mistype three times
ACCOUNT_ATTACK_FAILURES = 50
KEPT = timedelta(days=90)
MAX_ROWS = 50_000
BROWSER_DAYS = 180
BROWSER_SALT = "shop.sign-ins.browser"


class TooManyTries(Exception):
    """The password isn't looked at now."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        super().__init__(f"too many tries; the next is possible in {seconds} s")


@dataclass(frozen=True)
class Visitor:
    """Who tries: the account that was typed, the address, and the browser if the account knows it."""

    name: str
    address: str
    user: User | None = None
    browser: str = ""

    @property
    def account(self) -> str:
        """Return the key of the typed name, which may be a password that was typed into the wrong field."""
        return salted_hmac("shop.sign-ins.account", self.name.casefold()).hexdigest()[:40]

    @property
    def network(self) -> str:
        return addresses.network(self.address)


def visitor(*, name: str, address: str, cookies: dict[str, str]) -> Visitor:
    """Return who tries to sign in under this name."""
    name = name[:150]
    user = None
    if "\0" not in name:
        user = User.objects.filter(username=name).first()
    browser = ""
    if user is not None:
        browser = read_browser(user, cookies.get(browser_cookie(user), ""))
    return Visitor(name=name, address=address, user=user, browser=browser)


def begin(who: Visitor) -> SignIn:
    """Write the row of a try, which counts as failed until `succeed`. Raises TooManyTries."""
    with transaction.atomic(durable=True):
        lock(f"account {who.account}")
        lock(f"network {who.network}")
        seconds = wait_seconds(who)
        if not seconds:
            return SignIn.objects.create(
                account=who.account,
                name=who.user.get_username() if who.user else "",
                address=who.address,
                network=who.network,
                browser=who.browser,
            )
    log.warning("Sign-in refused for %s s: %s from %s", seconds, who.user or "an unknown name", who.address)
    raise TooManyTries(seconds)


def succeed(row: SignIn, *, outcome: SignIn.Outcome = SignIn.Outcome.SIGNED_IN) -> None:
    """Record that the try was right. What failed before it counts no longer."""
    SignIn.objects.filter(pk=row.pk).update(outcome=outcome)
    log.info("Signed in: %s from %s", row.name, row.address)


def fail(row: SignIn, *, outcome: SignIn.Outcome = SignIn.Outcome.FAILED) -> None:
    """Record why the try failed."""
    if outcome != SignIn.Outcome.FAILED:
        SignIn.objects.filter(pk=row.pk).update(outcome=outcome)
    log.warning("Sign-in failed (%s): %s from %s", outcome.label, row.name or "an unknown name", row.address)


def lock(key: str) -> None:
    """Let tries with this key follow each other, until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"sign-in {key}"])


def wait_seconds(who: Visitor) -> int:
    """Return how long this visitor must wait; 0 if a try is free now."""
    own = SignIn.objects.filter(account=who.account, browser=who.browser)
    if not who.browser:
        own = own.filter(network=who.network)
    recent = own.filter(at__gt=Now() - MEMORY)
    right = recent.exclude(outcome__in=SignIn.FAILURES).aggregate(at=Max("at"))["at"]
    if right is not None:
        recent = recent.filter(at__gt=right)
    found = recent.aggregate(failures=Count("pk"), passed=Now() - Max("at"))
    wait = wait_after(found["failures"], free=free_tries(who))
    if not wait:
        return 0
    passed: timedelta = found["passed"]
    return max(0, math.ceil(wait - passed.total_seconds()))


def wait_after(failures: int, *, free: int) -> int:
    """Return the seconds between so many failures and the next try."""
    if failures < free:
        return 0
    doublings = min(failures - free, 10)
    return int(min(MAX_WAIT_SECONDS, WAIT_SECONDS * 2**doublings))


def free_tries(who: Visitor) -> int:
    """Return how many failures are free: fewer for a strange browser while it is attacked."""
    if who.browser:
        return FREE_TRIES
    strange = failures().filter(browser="", at__gt=Now() - ATTACK_MEMORY)
    found = strange.aggregate(
        network=Count("pk", filter=Q(network=who.network)), account=Count("pk", filter=Q(account=who.account))
    )
    if found["network"] >= NETWORK_ATTACK_FAILURES or found["account"] >= ACCOUNT_ATTACK_FAILURES:
        return FREE_TRIES_UNDER_ATTACK
    return FREE_TRIES


def failures() -> QuerySet[SignIn]:
    return SignIn.objects.filter(outcome__in=SignIn.FAILURES)


# --- browsers that have signed in before ---


def browser_cookie(user: User) -> str:
    """Return the name of the cookie that says that this browser has signed in to the account."""
    prefix = "__Host-" if settings.SECURE_COOKIES else ""
    return f"{prefix}browser-{user.pk}"


def sign_browser(user: User, browser: str) -> str:
    """Return the cookie's value. It ends with the account's password."""
    browser = browser or secrets.token_hex(8)
    return signing.dumps([user.pk, browser, password_mark(user)], salt=BROWSER_SALT)


def read_browser(user: User, value: str) -> str:
    """Return the browser's id, or an empty text if the cookie isn't this account's, or not any more."""
    try:
        found = signing.loads(value, salt=BROWSER_SALT, max_age=timedelta(days=BROWSER_DAYS))
    except signing.BadSignature:
        return ""
    if found[0] != user.pk or found[2] != password_mark(user):
        return ""
    return str(found[1])


def password_mark(user: User) -> str:
    return user.get_session_auth_hash()[:16]


# --- bounded growth ---


def forget_old() -> int:
    """Delete old rows, those beyond the newest MAX_ROWS, and sessions that have ended; return how many."""
    deleted, _ = SignIn.objects.filter(at__lt=Now() - KEPT).delete()
    newest_kept = SignIn.objects.order_by("-pk").values_list("pk", flat=True)[MAX_ROWS : MAX_ROWS + 1].first()
    if newest_kept is not None:
        deleted += SignIn.objects.filter(pk__lte=newest_kept).delete()[0]
    ended, _ = Session.objects.filter(expire_date__lt=Now()).delete()
    return deleted + ended
