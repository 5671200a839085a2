"""Mails that were or will be sent, and the journal: both to look at."""

from typing import Any

from django.contrib import admin
from django.db import transaction
from django.db.models.functions import Now
from django.db.models.query import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy, ngettext

from shop.admin.base import ReadOnlyAdmin, person
from shop.core import audit_log
from shop.models import AuditEntry, Mail


@admin.register(Mail)
class MailAdmin(ReadOnlyAdmin[Mail]):
    list_display = ("kind", "to", "subject", "about", "created_at", "sent_at", "tries")
    list_filter = (("sent_at", admin.EmptyFieldListFilter), "kind")
    search_fields = ("to", "subject", "about")
    ordering = ("-created_at",)
    fields = ("kind", "about", "to", "subject", "created_at", "due_at", "sent_at", "tries", "fault", "text")
    actions = ("send_again",)

    def has_send_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("shop.change_mail"))

    @admin.action(description=gettext_lazy("Send again"), permissions=["send"])
    def send_again(self, request: HttpRequest, mails: QuerySet[Mail]) -> None:
        """Make mails due once more. They keep their Message-ID: a mailbox that has one shows it once."""
        with transaction.atomic():
            for mail in mails:
                before = {"sent_at": str(mail.sent_at)}
                audit_log.write(who=person(request), about=f"mail:{mail.pk}", act="sent again", before=before)
            count = mails.update(sent_at=None, due_at=Now(), tries=0, fault="")
        self.message_user(
            request, ngettext("%(n)s mail is due again.", "%(n)s mails are due again.", count) % {"n": count}
        )


@admin.register(AuditEntry)
class JournalAdmin(ReadOnlyAdmin[AuditEntry]):
    list_display = ("at", "who", "about", "act", "from_", "to")
    list_filter = ("act",)
    search_fields = ("about", "who__username")
    list_select_related = ("who",)
    date_hierarchy = "at"
    fields = ("at", "who", "about", "act", "from_", "to")

    @admin.display(description=gettext_lazy("from"))
    def from_(self, entry: AuditEntry) -> str:
        return words(entry.before)

    @admin.display(description=gettext_lazy("to"))
    def to(self, entry: AuditEntry) -> str:
        return words(entry.after)


def words(values: dict[str, Any]) -> str:
    """Write the values of an entry as "title: A; listed: True"."""
    return "; ".join(f"{name}: {value}" for name, value in values.items())
