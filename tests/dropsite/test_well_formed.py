"""Content types, addresses and cookies as our own pages send them, and as they don't."""

import pytest
from django.test import Client
from pytest_django import Settings

from dropsite.middleware.well_formed import plain_content_type
from tests.admin_clients import PLAIN

FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("sent", "seen"),
    [
        (FORM, FORM),
        (f"{FORM}; charset=UTF-8", FORM),
        (f"{FORM};charset=idna", FORM),
        (f"{FORM}; charset*=x''y", FORM),
        (f"{FORM}; charset*{'9' * 5_000}=y", FORM),
        ("Application/JSON ; charset=hex", "application/json"),
        (
            "multipart/form-data; boundary=----WebKitFormBoundary7MA4",
            'multipart/form-data; boundary="----WebKitFormBoundary7MA4"',
        ),
        ('multipart/form-data; charset=hex; boundary="a b"', "multipart/form-data"),
        ('multipart/form-data; charset=hex; Boundary="ab"; c=d', 'multipart/form-data; boundary="ab"'),
        ("multipart/form-data; boundary*=x''y", "multipart/form-data"),
        ("multipart/form-data; boundary=é", "multipart/form-data"),
        ("", ""),
        ("text", ""),
        ("é/é", ""),
    ],
)
def test_content_type_is_reduced_to_what_forms_need(sent: str, seen: str) -> None:
    assert plain_content_type(sent) == seen


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/how/", 200),
        ("/how/?a=%0a", 200),
        ("/how/?a=%00", 400),
        ("/how/?%00=a", 400),
        ("/drops/a%00/", 400),
        ("/admin/shop/email/a%00/change/", 400),
        ("/admin/login/?next=%00", 400),
    ],
)
def test_address_with_nul_is_refused(settings: Settings, address: str, status: int) -> None:
    settings.STORAGES = {**settings.STORAGES, "staticfiles": PLAIN}
    reply = Client().get(address)

    assert (reply.status_code, reply["Content-Type"]) == (status, "text/html; charset=utf-8")


@pytest.mark.django_db
@pytest.mark.parametrize("value", ["a" * 32, '"\\000"', '"a\\015\\012b"', '"\\177"'])
def test_session_of_control_characters_is_ignored(value: str) -> None:
    reply = Client(headers={"cookie": f"session={value}"}).get("/admin/")

    assert (reply.status_code, reply["Location"]) == (302, "/admin/login/?next=/admin/")
