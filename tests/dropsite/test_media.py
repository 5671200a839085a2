"""Pictures that lie elsewhere: django-storages names them, and pages may show them."""

import json
import os
import subprocess
import sys

from deploy.local.runner.programs import ROOT

CDN = "https://cdn.example.com"
LOOK = """
import django; django.setup()
from django.conf import settings
from django.core.files.storage import default_storage
print(default_storage.url("hero.jpg"), *settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]["img-src"])
"""


def look(**variables: str) -> list[str]:
    """The address of a picture, and where pages may show pictures from."""
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "dropsite.settings"} | variables
    command = [sys.executable, "-c", LOOK]
    return subprocess.run(
        command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    ).stdout.split()


def test_pictures_lie_in_a_folder_and_pages_show_only_those() -> None:
    assert look() == ["/media/hero.jpg", "'self'", "data:"]


def test_pictures_of_a_bucket_come_from_the_origin_that_pages_may_show() -> None:
    options = {"bucket_name": "pictures", "custom_domain": "cdn.example.com", "querystring_auth": False}
    storage = json.dumps({"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options})

    assert look(MEDIA_STORAGE=storage, MEDIA_ORIGIN=CDN) == [f"{CDN}/hero.jpg", "'self'", "data:", CDN]
