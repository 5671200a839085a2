"""Groups of people at the log_in."""

import pytest
from django.contrib.auth.models import Group, Permission

from dropsite.backoffice import groups

pytestmark = pytest.mark.django_db


def codes(name: str) -> set[str]:
    return set(Group.objects.get(name=name).permissions.values_list("codename", flat=True))


def test_groups_are_there_after_migrating() -> None:
    assert set(Group.objects.values_list("name", flat=True)) == {"merchandisers", "ops"}


def test_groups_may_do_what_their_people_need() -> None:
    assert {"change_drop", "add_pause", "change_product", "view_hold"} <= codes("merchandisers")
    assert {"view_order", "change_payment", "add_ceiling", "add_pause", "change_email"} <= codes("ops")
    assert {"act_on_scaling", "change_target", "add_share", "view_call"} <= codes("ops")
    assert {"view_target", "view_scaleplan", "change_scaleplan", "view_alert"} <= codes("merchandisers")


def test_groups_may_not_do_what_is_the_others() -> None:
    private = {"view_order", "view_mail", "view_payment", "add_ceiling", "delete_hold", "change_unit"}
    assert codes("merchandisers") & private == set()
    assert codes("merchandisers") & {"act_on_scaling", "change_target", "add_target", "change_share"} == set()
    assert (
        codes("ops") & {"change_drop", "delete_drop", "change_product", "change_order", "delete_order"}
        == set()
    )


def test_make_again_changes_nothing_and_keeps_what_was_given_by_hand() -> None:
    given = Permission.objects.get(codename="change_drop")
    Group.objects.get(name="ops").permissions.add(given)
    before = codes("ops"), codes("merchandisers")

    groups.create_groups()

    assert (codes("ops"), codes("merchandisers")) == before
