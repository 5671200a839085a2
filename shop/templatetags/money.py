"""{{ amount|money:currency }}: amounts in templates."""

from django import template

from shop.core import money as amounts

register = template.Library()


@register.filter
def money(amount: int, currency: str) -> str:
    """Return an amount in the currency's smallest unit as text: {{ 9650|money:"EUR" }} is €96.50."""
    return amounts.format_amount(amount=amount, currency=currency)
