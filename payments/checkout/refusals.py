"""Why an order isn't taken: what happened and what to do next, for a page or a script."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

NOT_CHARGED = _("You haven't been charged.")


class CheckoutRefused(Exception):
    """The order was not taken; nothing was changed and nothing was charged.

    `title` is one sentence saying what happened, `reason` says what to do next; `status` is the answer's.
    `field` names the form's field that it is about, if there is one.
    """

    title: str | Promise
    reason: str | Promise = ""
    status = 409
    field = ""
    hold_is_over = False

    def __str__(self) -> str:
        return " ".join(str(text) for text in (self.title, self.reason, NOT_CHARGED) if text)


class HoldLapsed(CheckoutRefused):
    title = _("Your hold ended before you paid.")
    status = 410
    hold_is_over = True


class HoldOfCancelledDrop(CheckoutRefused):
    title = _("This drop was cancelled.")
    reason = _("What you held has been released.")
    status = 410
    hold_is_over = True


class TotalChanged(CheckoutRefused):
    title = _("The total has changed since this page was loaded.")
    reason = _("Please check it before you pay.")


class UnitsChanged(CheckoutRefused):
    title = _("What you hold has changed since this page was loaded.")
    reason = _("Please check it before you pay.")


class ChoiceFixed(CheckoutRefused):
    title = _("You've started to pay for these pieces, so you can't choose again.")
    reason = _("Pay for them, or release them.")


class CountryFixed(CheckoutRefused):
    title = _("You started this order with a different country, so its total is fixed.")
    reason = _("Choose that country again.")
    field = "country"


class CountryNotServed(CheckoutRefused):
    title = _("We don't ship to that country.")
    reason = _("Choose one from the list.")
    status = 422
    field = "country"


class CardUnreadable(CheckoutRefused):
    title = _("Your card details couldn't be read.")
    reason = _("Please enter them again.")
    status = 422
    field = "confirmation_token"
