"""The scripts that come with this room: their headers, and what they do to a machine."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from bootstrap import apache
from bootstrap.errors import ApiError, InputsError, NotHealthyError, ServiceError
from bootstrap.header import parse
from bootstrap.hostname import Etc, name_and_time
from bootstrap.rendering import configure
from bootstrap.settings import RunLists
from bootstrap.shelf import Shelf
from bootstrap.warming import warm
from bootstrap.web import Answer

SCRIPTS = Path(__file__).parents[2] / "bootstrap" / "scripts"
NAMES = sorted(one.name for one in SCRIPTS.iterdir())
HEALTH = "http://127.0.0.1/health"
S3 = "https://s3.eu-central-1.amazonaws.com/photos?list-type=2&max-keys=1&prefix=originals%2F"
KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s"}


@pytest.mark.parametrize("name", NAMES)
def test_every_shipped_script_has_a_header_heeds_dry_runs_and_may_be_executed(name: str) -> None:
    script = Shelf(SCRIPTS).take(name)
    assert script.heeds_dry_run
    assert all(spec.description for spec in script.header.inputs.values())
    assert (SCRIPTS / name).read_text().startswith("#!/opt/amibake/venv/bin/python\n")


def test_the_usual_run_lists_name_scripts_that_are_shipped() -> None:
    lists = RunLists()
    assert {*lists.boot, *lists.operational, *lists.decommission} <= set(NAMES)


def test_an_input_of_several_scripts_is_the_same_in_each() -> None:
    found: dict[str, set[tuple[Any, ...]]] = {}
    for name in NAMES:
        for spec in parse((SCRIPTS / name).read_text(), name).inputs.values():
            found.setdefault(spec.name, set()).add((spec.input_type, spec.default, spec.required))
    assert [name for name, kinds in found.items() if len(kinds) > 1] == []


def test_a_service_that_is_older_than_its_configuration_is_reloaded_once(
    stage: Any, systemd: Any, tmp_path: Path, settings_text: str
) -> None:
    (tmp_path / "app.toml").touch()
    (tmp_path / "bootstrap.toml").write_text(settings_text)
    inputs = {"SERVICES": "apache2.service", "BOOTSTRAP_SETTINGS": str(tmp_path / "bootstrap.toml")}
    apache.serve(stage.act(**inputs))
    apache.serve(stage.act(**inputs))
    assert systemd.ran == ["reload-or-restart apache2.service"]
    assert stage.notes == ["reloaded apache2.service"]


def test_a_service_that_does_not_run_is_started(
    stage: Any, systemd: Any, tmp_path: Path, settings_text: str
) -> None:
    (tmp_path / "bootstrap.toml").write_text(settings_text)
    systemd.units["apache2.service"] = ("inactive", datetime.min.replace(tzinfo=UTC))
    inputs = {"SERVICES": "apache2.service", "BOOTSTRAP_SETTINGS": str(tmp_path / "bootstrap.toml")}
    apache.serve(stage.act(BOOTSTRAP_DRY_RUN="1", **inputs))
    assert systemd.ran == []
    apache.serve(stage.act(**inputs))
    assert stage.notes == ["started apache2.service"] * 2


def test_of_several_services_each_is_given_what_it_lacks_and_one_that_is_missing_is_named(
    stage: Any, systemd: Any, tmp_path: Path, settings_text: str
) -> None:
    (tmp_path / "app.toml").touch()
    (tmp_path / "bootstrap.toml").write_text(settings_text)
    never, later = datetime.min.replace(tzinfo=UTC), datetime.now(UTC) + timedelta(hours=1)
    systemd.units |= {"render.service": ("inactive", never), "keeper.service": ("active", later)}
    inputs = {
        "SERVICES": "render.service,keeper.service,apache2.service",
        "BOOTSTRAP_SETTINGS": str(tmp_path / "bootstrap.toml"),
    }
    apache.serve(stage.act(**inputs))
    assert systemd.ran == ["start render.service", "reload-or-restart apache2.service"]
    del systemd.units["keeper.service"]
    with pytest.raises(ServiceError, match=r"keeper\.service is not-found"):
        apache.serve(stage.act(**inputs))


def test_a_slow_application_is_waited_for(stage: Any, web: Any) -> None:
    web.answers[HEALTH] = [Answer(503), Answer(503), Answer(200)]
    apache.healthy(stage.act())
    assert stage.clock.monotonic() > 0


def test_an_application_that_never_answers_200_is_an_error_with_its_last_answer(stage: Any, web: Any) -> None:
    web.answers[HEALTH] = [Answer(503)]
    with pytest.raises(NotHealthyError, match="did not answer 200 within 3 s; last: status 503"):
        apache.healthy(stage.act())


@pytest.mark.parametrize(
    ("reason", "ran"), [("manual", ["stop apache2.service"]), ("shutdown", []), ("reboot", [])]
)
def test_services_are_stopped_unless_systemd_does_so_right_after(
    stage: Any, systemd: Any, reason: str, ran: list[str]
) -> None:
    apache.stop(stage.act(SERVICES="apache2.service", DECOM_REASON=reason))
    assert systemd.ran == ran


@pytest.fixture
def configured(stage: Any, tmp_path: Path, settings_text: str, web: Any) -> Any:
    (tmp_path / "bootstrap.toml").write_text(settings_text)
    (tmp_path / "app.tmpl").write_text("bucket = ${BUCKET:toml}\nprefix = ${PREFIX:toml}\n")
    web.answers[S3] = [Answer(200, "<R/>")]
    given = '{"BUCKET": "text:photos"}'
    settings = str(tmp_path / "bootstrap.toml")
    return lambda **more: stage.act(BOOTSTRAP_SETTINGS=settings, BOOTSTRAP_GIVEN=given, **KEYS, **more)


def test_files_are_rendered_from_inputs_and_not_again(configured: Any, stage: Any, tmp_path: Path) -> None:
    configure(configured())
    configure(configured())
    assert (tmp_path / "app.toml").read_text() == 'bucket = "photos"\nprefix = "originals/"\n'
    assert stage.notes == [f"wrote {tmp_path}/app.toml"]


def test_a_dry_run_renders_nothing(configured: Any, stage: Any, tmp_path: Path) -> None:
    configure(configured(BOOTSTRAP_DRY_RUN="1"))
    assert (stage.notes, (tmp_path / "app.toml").exists()) == ([f"wrote {tmp_path}/app.toml"], False)


@pytest.mark.parametrize(
    ("status", "code", "complaint"),
    [
        (404, "NoSuchBucket", "the bucket photos does not exist"),
        (403, "AccessDenied", "the bucket photos may not be listed"),
        (301, "PermanentRedirect", "the bucket photos is in another region"),
        (400, "InvalidBucketName", "the bucket photos cannot be listed: "),
    ],
)
def test_a_wrong_bucket_is_told(configured: Any, web: Any, status: int, code: str, complaint: str) -> None:
    body = f"<Error><Code>{code}</Code><Message>x</Message></Error>"
    web.answers[S3] = [Answer(status, body)]
    with pytest.raises(ApiError, match=complaint):
        configure(configured())


def test_a_store_that_is_away_strands_no_node(configured: Any, stage: Any, web: Any) -> None:
    del web.answers[S3]
    configure(configured())
    assert "bucket photos: not looked at: ListObjectsV2: https://s3" in stage.said[-1]


def test_warming_notes_what_had_to_be_made_and_strands_nobody(stage: Any, web: Any) -> None:
    made, held = Answer(200, headers={"x-resizer": "render"}), Answer(200, headers={"x-resizer": "apache"})
    web.answers |= {"http://127.0.0.1/a.jpg": [made, held], "http://127.0.0.1/b.jpg": [Answer(404)]}
    for _ in range(2):
        warm(stage.act(WARM_PATHS="/a.jpg,b.jpg,/c.jpg"))
    assert stage.notes == ["warmed /a.jpg"]
    assert stage.said[:2] == [
        "http://127.0.0.1/b.jpg: status 404",
        "http://127.0.0.1/c.jpg: connection refused",
    ]


@pytest.fixture
def etc(tmp_path: Path) -> Etc:
    for zone in ("UTC", "Europe/Vienna"):
        (tmp_path / "zones" / zone).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "zones" / zone).touch()
    (tmp_path / "localtime").symlink_to(tmp_path / "zones" / "UTC")
    (tmp_path / "hostname").write_text("ip-10-0-0-1\n")
    names = ["ip-10-0-0-1"]
    return Etc(
        tmp_path / "hostname", tmp_path / "localtime", tmp_path / "zones", lambda: names[-1], names.append
    )


@pytest.fixture
def quiet(stage: Any) -> Any:
    """A machine whose clock is kept by its host."""
    object.__setattr__(stage, "systemd", lambda _: "Id=chrony.service\nLoadState=not-found\n")
    return stage


@pytest.mark.skipif(os.getuid() != 0, reason="the file is root's")
def test_the_host_gets_the_name_and_zone_of_the_inputs_once(quiet: Any, etc: Etc, tmp_path: Path) -> None:
    for _ in range(2):
        name_and_time(quiet.act(HOSTNAME="web-1", TIME_ZONE="Europe/Vienna"), etc)
    assert (etc.get_name(), etc.hostname.read_text()) == ("web-1", "web-1\n")
    assert etc.localtime.readlink() == tmp_path / "zones" / "Europe" / "Vienna"
    assert quiet.notes == [
        "named the host web-1",
        f"rewrote {etc.hostname} (content)",
        "set the time zone to Europe/Vienna",
    ]


@pytest.mark.parametrize(
    "inputs", [{"HOSTNAME": "Web_1"}, {"HOSTNAME": "a" * 65}, {"TIME_ZONE": "../etc"}, {"TIME_ZONE": "Mars"}]
)
def test_a_name_or_zone_that_is_none_is_refused(quiet: Any, etc: Etc, inputs: dict[str, str]) -> None:
    with pytest.raises(InputsError):
        name_and_time(quiet.act(**inputs), etc)
    assert quiet.notes == []


def test_a_time_service_that_should_run_is_started(stage: Any, etc: Etc) -> None:
    ran: list[str] = []
    shown = (
        "Id=systemd-timesyncd.service\nLoadState=loaded\nUnitFileState=enabled\n"
        "ActiveState=inactive\nConditionResult=yes\n"
    )
    act = stage.act()
    object.__setattr__(act, "run", lambda argv: ran.append(argv[1]) or shown)
    name_and_time(act, etc)
    assert ran == ["show", "start"]
    assert stage.notes == ["started systemd-timesyncd.service"]


def test_a_clock_that_is_minutes_wrong_is_said(quiet: Any, etc: Etc, web: Any) -> None:
    path = "http://169.254.169.254/latest/meta-data/instance-id"
    date = format_datetime(quiet.clock.now() + timedelta(minutes=7), usegmt=True)
    web.answers[path] = [replace(web.answers[path][0], headers={"date": date})]
    name_and_time(quiet.act(), etc)
    assert quiet.said[0].startswith("clock: this clock is 420 s behind; is 169.254.169.123 (NTP) let out?")
