"""Emails that were or will be sent. They can be read, and sent again."""

from django.contrib import admin
from django.db import transaction
from django.db.models.functions import Now
from django.db.models.query import QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import pluralize

from shop.admin.base import ReadOnlyAdmin, person
from shop.core import audit_log
from shop.core.models import Email


@admin.register(Email)
class EmailAdmin(ReadOnlyAdmin[Email]):
    list_display = ("kind", "to", "subject", "about", "created_at", "sent_at", "tries")
    list_filter = (("sent_at", admin.EmptyFieldListFilter), "kind")
    search_fields = ("to", "subject", "about")
    ordering = ("-created_at",)
    fields = (
        "kind",
        "about",
        "to",
        "subject",
        "created_at",
        "due_at",
        "sent_at",
        "tries",
        "last_error",
        "text",
    )
    actions = ("send_again",)

    def has_send_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("shop.change_email"))

    @admin.action(description="Send again", permissions=["send"])
    def send_again(self, request: HttpRequest, emails: QuerySet[Email]) -> None:
        """Make emails due again. They keep their Message-ID, so that a mailbox shows each of them once."""
        with transaction.atomic():
            for email in emails:
                audit_log.write(
                    actor=person(request),
                    about=f"email:{email.pk}",
                    action="sent again",
                    before={"sent_at": str(email.sent_at)},
                )
            count = emails.update(sent_at=None, due_at=Now(), tries=0, last_error="")
        self.message_user(request, f"{count} email{pluralize(count)} will be sent again.")
