"""Make the renditions of pictures that were uploaded before Dropsite made any."""

from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from shop import renditions
from shop.models import Picture


class Command(BaseCommand):
    help = "Make the renditions of pictures that have none, and replace what was uploaded by a JPEG."

    def handle(self, **_: Any) -> None:
        for picture in Picture.objects.filter(renditions=None):
            try:
                with picture.image.open("rb") as file:
                    image = renditions.read(file=file, size=0)  # it is stored already, however large
            except (renditions.PictureRefused, OSError) as error:
                self.stderr.write(f"Picture {picture.pk} of {picture.product}: {error}")
                continue
            upload = picture.image.name
            with transaction.atomic():
                main = renditions.main_file(image)
                picture.image.save(str(main.name), main)
                renditions.store(picture=picture, image=image)
            # Anyone who knows its address could still read where it was taken.
            picture.image.storage.delete(str(upload))
            self.stdout.write(f"Picture {picture.pk} of {picture.product}: done.")
