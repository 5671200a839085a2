"""Make the renditions of pictures that were uploaded before Dropsite made any, without a worker."""

from typing import Any

from django.core.management.base import BaseCommand

from shop import picture_files
from shop.models import Picture


class Command(BaseCommand):
    help = "Make the renditions of pictures that have none, and replace what was uploaded by a JPEG."

    def handle(self, **_: Any) -> None:
        for picture in Picture.objects.filter(renditions=None):
            try:
                picture_files.replace_upload(picture=picture)
            except picture_files.UploadUnreadable as error:
                self.stderr.write(f"Picture {picture.pk} of {picture.product}: {error}")
                continue
            self.stdout.write(f"Picture {picture.pk} of {picture.product}: done.")
