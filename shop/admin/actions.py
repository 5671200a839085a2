"""Buttons of the desk that ask on a page of their own before they do something: what they have in common."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib.auth.models import AbstractBaseUser
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=gettext_lazy("Reason"), max_length=200, help_text=gettext_lazy("Shown at the desk, kept in the journal.")
    )


@dataclass(frozen=True, kw_only=True)
class Action:
    """One button: what it says, what it warns of, what it does to what it is about, for whom, for which reason."""

    name: str
    label: str | Promise
    warning: str | Promise
    done: str | Promise
    do: Callable[[Any, AbstractBaseUser | None, str], object]
    form: type[forms.Form] = forms.Form
