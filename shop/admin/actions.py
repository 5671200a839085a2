"""Actions of the admin: buttons that ask for confirmation on a page of their own before they do something."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib.auth.models import AbstractBaseUser
from django.utils.functional import Promise

from shop.core.plain_text import OneLineField


class ReasonForm(forms.Form):
    reason = OneLineField(max_length=200, help_text="Shown in the admin and kept in the audit log.")


@dataclass(frozen=True, kw_only=True)
class Action:
    """One button: its label, its warning, the message once it is done, and what it does.

    `do` gets the object, the user and the reason.
    """

    name: str
    label: str | Promise
    warning: str | Promise
    done: str | Promise
    do: Callable[[Any, AbstractBaseUser | None, str], object]
    form: type[forms.Form] = forms.Form
