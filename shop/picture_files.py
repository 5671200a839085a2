"""Files of pictures over time: uploads from before there were renditions, and files that were replaced.

Pages leave out a picture without renditions, until its upload is replaced here.
"""

from datetime import timedelta
from typing import Any

from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models.functions import Now

from shop import renditions
from shop.core import alerts
from shop.core.models import Alert
from shop.models import Picture, RemovedFile, Rendition

KEPT = timedelta(days=1)  # since a page that is open or cached may still ask for a replaced file
MAX_FILES_PER_RUN = 500
MAX_UPLOADS_PER_RUN = 5


class UploadUnreadable(Exception):
    """What was uploaded can't be read, so that there are no renditions of it."""


def replace_uploads(*, limit: int = MAX_UPLOADS_PER_RUN) -> int:
    """Replace uploads without renditions; return how many. One that can't be read raises an alert, once."""
    alerted = (
        Alert.objects.open().filter(subject__startswith="picture:").values_list("details__picture", flat=True)
    )
    waiting = Picture.objects.filter(renditions=None).exclude(pk__in=[int(key) for key in alerted])
    done = 0
    for picture in waiting.select_related("product")[:limit]:
        try:
            replace_upload(picture=picture)
        except UploadUnreadable as error:
            alerts.raise_alert(
                source="pictures",
                subject=f"picture:{picture.pk} unreadable",
                message=(
                    f"A picture of “{picture.product}” can't be used: {error}"
                    " Pages leave it out. Upload it again."
                ),
                details={"picture": str(picture.pk)},
            )
            continue
        done += 1
    return done


def replace_upload(*, picture: Picture) -> None:
    """Put a JPEG and renditions in the place of an upload, which is deleted. Raises UploadUnreadable."""
    upload = str(picture.image.name)
    try:
        with picture.image.open("rb") as file:
            prepared = renditions.prepare(file=file, size=0)  # it is stored already, however large
    except (renditions.PictureRefused, OSError) as error:
        raise UploadUnreadable(str(error)) from error
    with transaction.atomic():
        # Somebody else may have replaced or removed it while it was read.
        unchanged = Picture.objects.filter(pk=picture.pk, image=upload, renditions=None)
        current = unchanged.select_for_update(of=("self",)).first()
        if current is None:
            return
        main = renditions.main_file(prepared)
        current.image.save(str(main.name), main)
        renditions.store(picture=current, prepared=prepared)
    # At once: anyone who knows its address could still read where it was taken.
    picture.image.storage.delete(upload)


def resolve_alerts() -> int:
    """Resolve the alerts about pictures that were replaced or removed; return how many."""
    resolved = 0
    for alert in Alert.objects.open().filter(subject__startswith="picture:"):
        if not Picture.objects.filter(pk=int(alert.details["picture"]), renditions=None).exists():
            resolved += alerts.resolve(subject=alert.subject)
    return resolved


def note_removed(name: str) -> None:
    """Remember, in the caller's transaction, that a file is to be deleted."""
    RemovedFile.objects.create(name=name)


def note_deleted_row(*, instance: Picture | Rendition, **_: Any) -> None:
    """Remember the file of a row that was deleted."""
    if instance.image:
        note_removed(str(instance.image.name))


def delete_removed() -> int:
    """Delete the files that were replaced or removed more than a day ago; return how many."""
    due = list(RemovedFile.objects.filter(at__lt=Now() - KEPT).order_by("pk")[:MAX_FILES_PER_RUN])
    names = [row.name for row in due]
    for name in set(names) - named(names):
        default_storage.delete(name)  # which is no error if it is gone already
    RemovedFile.objects.filter(pk__in=[row.pk for row in due]).delete()
    return len(due)


def named(names: list[str]) -> set[str]:
    """Return those of the names that a picture or a rendition has now."""
    pictures = Picture.objects.filter(image__in=names).values_list("image", flat=True)
    return {*pictures, *Rendition.objects.filter(image__in=names).values_list("image", flat=True)}
