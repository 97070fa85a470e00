"""Names, words and secrets are only in the places where they belong: a story with failures, and real processes whose
every output is looked through.
"""

import base64
from pathlib import Path

from companion.panel.models import Notice
from companion.service.models import Heartbeat
from companion.webhooks.models import Delivery
from tests.journeys.canaries import CANARIES, SEALED, c, forms_of, found_below, found_in
from tests.journeys.canary_acts import (
    a_backup,
    a_wrong_file_and_a_wrong_source,
    alerts_leave,
    an_answer_is_tapped,
    commands_say,
    data_is_handed_over,
    metrics_of,
    people_and_plans,
    raw_database,
    stop,
    telegram_quotes_the_text,
    the_database_quotes_a_row,
    the_patient_writes,
    wrong_requests,
)
from tests.journeys.canary_story import CONTACTS, a_story


def test_a_canary_is_known_in_every_form() -> None:
    for canary in CANARIES.values():
        for text in (f"x{canary}y", f"xx{canary}", f"{canary}"):
            plain = text.encode()
            for form in (plain, plain.hex().encode(), base64.b64encode(plain), text.encode("utf-16-le"), plain.upper()):
                assert canary in {c(found) for found in found_in(form)}
    assert found_in(b"nothing of it") == set()
    assert all(len(form) > 8 for canary in CANARIES.values() for form in forms_of(canary))


def test_no_canary_is_found_anywhere_but_in_its_place(product_environment: dict[str, str], tmp_path: Path) -> None:
    with a_story(product_environment, tmp_path) as (story, mailbox, hook, services):
        patient = people_and_plans(story)
        telegram_quotes_the_text(story, patient)
        an_answer_is_tapped(story, patient)
        the_patient_writes(story)
        the_database_quotes_a_row(story)
        wrong_requests(story)
        a_wrong_file_and_a_wrong_source(story)
        alerts_leave(story, mailbox, hook)
        data_is_handed_over(story, patient)
        metrics = metrics_of(story)
        backup = a_backup(story)
        said = commands_say(story)
        stopped = stop(services)

    hidden = story.secrets | CONTACTS
    logs = {name: (tmp_path / f"{name}.log").read_bytes() for name in stopped}
    assert all(len(log) > 200 for log in logs.values()), "the services logged"
    assert {name: found for name, log in logs.items() if (found := found_in(log, others=hidden))} == {}
    assert found_in(b"\n".join(story.heads), others=hidden) == set()
    assert found_in(said, others=hidden) == set()
    assert found_in(metrics, others=hidden) == set()
    assert found_in(b"".join(mail.as_bytes() for mail in mailbox.mails), others=hidden) == set()
    assert mailbox.mails
    assert hook.posts
    posted = b"".join(repr(sorted(headers.items())).encode() + body for headers, body in hook.posts)
    assert found_in(posted, others=hidden) == set()
    assert found_in(backup, SEALED, story.secrets) == set()
    assert found_below(tmp_path / "journal") == {}
    assert found_in(repr([*Notice.objects.values(), *Delivery.objects.values()]).encode()) == set()
    assert found_in(repr(list(Heartbeat.objects.values_list("state", "health_url"))).encode()) == set()
    assert found_in(raw_database(), SEALED, story.secrets) == set()
