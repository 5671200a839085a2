"""{{ amount|money:currency }}: amounts in templates."""

from django import template

from shop.core import money as amounts

register = template.Library()


@register.filter
def money(amount: int, currency: str) -> str:
    """Write an amount in the currency's smallest unit for people: {{ 9650|money:"EUR" }} is €96.50."""
    return amounts.text(amount=amount, currency=currency)
