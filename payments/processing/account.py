"""Our account at Stripe: while it refuses our key, nobody is admitted; a sweep asks until it doesn't."""

from drops import admission
from drops.models import Ceiling
from payments.processing import gateway, money_alerts

REASON = "Payments: Stripe refuses the shop's key or what it may do."


def stop_admission(refused: gateway.StripeRefused) -> None:
    """Let nobody in to any drop, and alert."""
    admission.set_ceiling(drop=None, kind=Ceiling.Kind.PAYMENT_ACCOUNT, shoppers=0, reason=REASON)
    money_alerts.account_refused(refused.reason)


def check() -> None:
    """Ask Stripe whether it still refuses our key, if it did; let shoppers in again if it doesn't."""
    if not Ceiling.objects.filter(drop=None, kind=Ceiling.Kind.PAYMENT_ACCOUNT).exists():
        return
    try:
        gateway.probe()
    except (gateway.StripeRefused, gateway.OutcomeUnknown):
        return
    admission.lift_ceiling(drop=None, kind=Ceiling.Kind.PAYMENT_ACCOUNT)
    money_alerts.account_accepted()
