"""The gate's language: Django's catalogue, read by the standard library. One process serves one language."""

import gettext as catalogues
from pathlib import Path

DOMAIN = "django"  # the catalogue's file is locale/<language>/LC_MESSAGES/django.mo


class Language:
    """The catalogue in use: none at first, which leaves every text in English."""

    def __init__(self) -> None:
        self.catalogue = catalogues.NullTranslations()

    def activate(self, code: str, *, folder: Path) -> None:
        """Translate into the language from now on; without a catalogue of it, texts stay in English."""
        locale, _, region = code.partition("-")
        if region:
            locale = f"{locale}_{region.upper()}"
        self.catalogue = catalogues.translation(DOMAIN, folder, [locale], fallback=True)

    def gettext(self, message: str) -> str:
        """Return the message in the language in use."""
        return self.catalogue.gettext(message)

    def ngettext(self, one: str, many: str, number: int) -> str:
        """Return the message in the form that goes with the number."""
        return self.catalogue.ngettext(one, many, number)


language = Language()
gettext = language.gettext
ngettext = language.ngettext


def N_(message: str) -> str:  # noqa: N802 gettext's own name
    """Mark a message for `make messages`; it is translated where it is used."""
    return message
