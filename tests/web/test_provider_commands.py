"""People of a sign-in service, named by the address that the lists of members show: by commands, and in the inbox."""

import re

import pytest
from click.testing import CliRunner, Result
from django.test import Client

from companion.cli.people import member as command
from companion.clinics import members
from companion.clinics.models import Clinic, Member, Role
from companion.listener.models import Conversation
from tests.builders import NOW, a_bot, a_member, a_patient
from tests.web.accounts import is_in
from tests.web.inbox import wrote
from tests.web.provider import the_service_says, through_the_service
from tests.web.signed_in import words

pytestmark = pytest.mark.django_db
EVA = "Eva@linden.example"
"""The address as the service writes it."""


@pytest.fixture
def eva(issuer: str, linden: Clinic) -> Client:
    the_service_says(issuer, groups=["nurses"], email=EVA)
    client = Client()
    through_the_service(client)
    return client


def typed(*arguments: str) -> Result:
    return CliRunner().invoke(command, [*arguments, "--clinic", "linden"])


def test_a_person_of_the_service_is_signed_out_and_removed_by_the_address_of_the_list(eva: Client) -> None:
    listed = typed("list").stdout.partition("\t")[0]

    signed_out = typed("sign-out", listed)
    out = not is_in(eva)
    removed = typed("remove", listed.upper())

    assert (listed, signed_out.exit_code, out, removed.exit_code) == (EVA, 0, True, 0)
    assert not Member.objects.exists()


def test_two_members_of_one_address_are_both_signed_out_and_neither_is_removed_unseen(
    eva: Client, linden: Clinic
) -> None:
    a_member(linden, Role.ADMIN, EVA.lower())

    signed_out, removed, changed = typed("sign-out", EVA), typed("remove", EVA), typed("role", EVA, "admin")

    assert signed_out.exit_code == 0
    assert not is_in(eva)
    assert (removed.exit_code, changed.exit_code) == (1, 1)
    assert "Several members have this address." in removed.stderr
    assert sorted(Member.objects.values_list("role", flat=True)) == ["admin", "provider"]


def test_a_conversation_is_handed_to_a_person_of_the_service_who_takes_it_back_from_another(
    eva: Client, linden: Clinic
) -> None:
    nora = a_member(linden, Role.PROVIDER, "nora@linden.example")
    conversation = wrote(a_bot(linden), a_patient(linden))
    page = f"/inbox/{conversation.id}"
    offered = re.findall(r"<option>([^<]+)", eva.get(page).content.decode())

    for address in offered[::-1]:
        eva.post(f"{page}/assign", {"member": address})
    held_by_eva = Conversation.objects.get().holder
    eva.post(f"{page}/assign", {"member": nora.user.email})
    own = re.findall(r'name="member" value="([^"]+)"', eva.get(page).content.decode())[0]
    answer = eva.post(f"{page}/assign", {"member": own}, follow=True)

    assert (offered, own) == ([EVA, "nora@linden.example"], EVA)
    assert "Assigned to Eva Lind" in words(answer)
    assert held_by_eva == Conversation.objects.get().holder == Member.objects.exclude(pk=nora.pk).get()


def test_a_conversation_is_handed_to_nobody_who_was_only_invited(eva: Client, linden: Clinic) -> None:
    members.add_member(linden, "ben@linden.example", "provider", now=NOW)
    conversation = wrote(a_bot(linden), a_patient(linden))

    answer = eva.post(f"/inbox/{conversation.id}/assign", {"member": "ben@linden.example"}, follow=True)

    assert "There is no such member in this clinic." in words(answer)
    assert not Conversation.objects.get().holder
