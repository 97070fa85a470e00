"""The migration by which alerts' webhooks of before become webhooks that hear of alerts."""

import base64
import datetime as dt
import uuid
from pathlib import Path

import pytest
from standardwebhooks import Webhook as Verifier

from companion.webhooks import signing
from tests.builders import NOW
from tests.support.former import a_former_database

pytestmark = pytest.mark.django_db
BEFORE, AFTER = ("panel", "0006_bot_check"), ("panel", "0008_no_alert_webhooks")
URL, FORMER_SECRET = "https://alerts.clinic.example/?token=1", "a-secret-of-before_1"


def test_a_webhook_of_before_goes_on_with_alerts_and_its_secret_in_the_standards_form(tmp_path: Path) -> None:
    with a_former_database(tmp_path) as former:
        former.migrate(BEFORE)
        clinics = former.rows("clinics", "Clinic")
        linden, birch = (
            clinics.create(slug=slug, name=slug, timezone="Europe/Berlin", created_at=NOW)
            for slug in ("linden", "birch")
        )
        hooks = former.rows("panel", "AlertWebhook")
        hooks.create(clinic_id=linden.pk, url=URL, secret=FORMER_SECRET, created_at=NOW)
        lost = hooks.create(clinic_id=birch.pk, url=URL, secret=FORMER_SECRET, created_at=NOW)
        hooks.filter(pk=lost.pk).update(url=b"\x01" * 40)

        former.migrate(AFTER)

        [row] = former.rows("webhooks", "Webhook").values("pk", "clinic", "url", "secret")
        assert (row["clinic"], row["url"]) == (linden.pk, URL)
        assert list(former.rows("webhooks", "Wish").values_list("webhook", "kind")) == [(row["pk"], "alert")]
    assert row["secret"] == f"whsec_{base64.b64encode(FORMER_SECRET.encode()).decode()}"
    headers = signing.headers([row["secret"]], uuid.uuid4(), "{}", at=dt.datetime.now(dt.UTC))
    assert Verifier(FORMER_SECRET.encode()).verify("{}", headers) == {}
