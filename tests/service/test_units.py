"""The systemd units, judged by systemd's own tools, and the words that real services send to systemd."""

import shutil
import signal
import subprocess
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from companion.service.watchdog import SOCKET, Ear
from tests.support.services import a_service, eventually, stop

UNITS = Path(__file__).resolve().parents[2] / "deploy" / "systemd"
_NAMES = ["companion-migrate.service", "companion@.service"]
_MOST_EXPOSED = 3.0


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="this machine has no systemd-analyze")
@pytest.mark.parametrize("name", _NAMES)
def test_systemd_finds_a_unit_little_exposed(name: str) -> None:
    analyze = ["systemd-analyze", "security", "--offline=true", f"--threshold={_MOST_EXPOSED * 10:.0f}"]

    done = subprocess.run([*analyze, str(UNITS / name)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout[-200:] + done.stderr


def test_both_units_are_hardened_alike() -> None:
    hardened = [
        "\n# The same in both units." + (UNITS / name).read_text().split("# The same in both units.")[1]
        for name in _NAMES
    ]

    assert hardened[1].removesuffix("\n[Install]\nWantedBy=multi-user.target\n") == hardened[0]


def test_a_service_that_hangs_is_killed_without_a_core_dump_of_patients_texts() -> None:
    unit = (UNITS / "companion@.service").read_text()

    assert {"Type=notify", "WatchdogSec=60", "WatchdogSignal=SIGKILL", "LimitCORE=0"} <= set(unit.splitlines())


@pytest.mark.one_database
def test_each_service_says_that_it_is_ready_and_the_three_share_their_settings(
    product_environment: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    # Three ports in a row that are most likely free; a taken port ends its service, and the test says so.
    settings = {"COMPANION_HEALTH_PORT": "29310", "COMPANION_PORT": "0"}
    kinds = ("dispatcher", "listener", "web")
    ears = {kind: Ear(tmp_path_factory.mktemp("ear") / kind) for kind in kinds}
    with ExitStack() as stack:
        services = {
            kind: stack.enter_context(
                a_service(kind, {**product_environment, **settings, SOCKET: str(ear.path)}, "--share-host")
            )
            for kind, ear in ears.items()
        }
        for kind, ear in ears.items():
            stack.callback(ear.close)
            eventually(lambda ear=ear: ear.heard(), f"the {kind}'s word")  # type: ignore[misc]  # a lambda's default

        assert [stop(service, signal.SIGTERM) for service in services.values()] == [0, 0, 0]
