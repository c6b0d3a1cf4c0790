"""New boot scripts, and old ones checked: headers, inputs, run lists, what bears no repeating."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from invoke.config import Config
from invoke.context import Context

from bootstrap.header import parse
from fleet import bootstrap_tasks, new_script, repetition, script_check, shellcheck
from fleet.errors import FleetError
from fleet.new_script import Variable
from fleet.script_findings import Finding

HEADER = "#!/bin/sh\n# ---\n# RightScript Name: A\n# Inputs:\n#   NAME:\n#     Required: true\n# ...\n"


def call(task: Any, *args: Any, **options: Any) -> Any:
    return task.body(Context(Config()), *args, **options)


def put(folder: Path, name: str, text: str, mode: int = 0o755) -> Path:
    path = folder / name
    path.write_text(text)
    path.chmod(mode)
    return path


# --- new ---


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("echo $A ${B}", [Variable("A"), Variable("B")]),
        ("echo ${A:-x y}", [Variable("A", required=False, default="x y")]),
        ("echo ${A-} $A", [Variable("A", required=False)]),
        ("echo $A ${A:-x}", [Variable("A", required=False, default="x")]),
        ("echo ${A:?must be given} ${B%%.*}", [Variable("A"), Variable("B")]),
        ("echo ${A:+yes}", [Variable("A", required=False)]),
        ("echo ${A:-$HOME/a}", [Variable("A", required=False)]),
        ("A=1; echo $A; for B in a; do echo $B; done; read -r C; echo $C", []),
        ("if true; then A=1; fi\n export B=2\necho $A $B", []),
        ("echo $PATH $RS_ATTACH_DIR $BOOTSTRAP_CHANGES $EC2_INSTANCE_ID $HOME $lower", []),
        ("echo '$A' # $B\n# $C", []),
    ],
)
def test_the_inputs_of_a_shell_script_are_the_variables_that_nobody_else_sets(
    body: str, found: list[Variable]
) -> None:
    assert new_script.variables(body, "shell") == found


def test_the_inputs_of_a_python_script_are_what_it_asks_of_its_environment() -> None:
    body = """os.environ["A"], os.environ.get('B'), os.getenv("C", "d"), os.environ["PATH"], environ["A"]"""
    assert new_script.variables(body, "python") == [
        Variable("A"),
        Variable("B", required=False),
        Variable("C", required=False, default="d"),
    ]


@pytest.mark.parametrize("language", new_script.LANGUAGES)
def test_a_new_script_has_a_header_that_can_be_read_and_passes_the_check(
    tmp_path: Path, language: str
) -> None:
    made = call(bootstrap_tasks.new, "greet-users", language=language, folder=str(tmp_path))
    assert parse(made.path.read_text(), "greet-users").inputs["GREETING"].required
    assert script_check.check(made.path).findings == ()


def test_a_script_without_a_header_is_given_one_and_keeps_its_body(tmp_path: Path) -> None:
    path = put(tmp_path, "tell", "#!/bin/bash\necho ${WHAT:-hello} $WHOM\n", 0o644)
    call(bootstrap_tasks.new, "tell", folder=str(tmp_path))
    text = path.read_text()
    inputs = parse(text, "tell").inputs
    assert text.startswith("#!/bin/bash\n# ---\n")
    assert text.endswith("echo ${WHAT:-hello} $WHOM\n")
    assert (inputs["WHAT"].default, inputs["WHAT"].required) == ("text:hello", False)
    assert inputs["WHOM"].required
    with pytest.raises(FleetError, match="has a header already"):
        call(bootstrap_tasks.new, "tell", folder=str(tmp_path))


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    planned = call(bootstrap_tasks.new, "tell", folder=str(tmp_path), dry_run=True)
    assert "RightScript Name: Tell" in planned.document()["text"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "language"), [("../etc", "shell"), ("Tell Me", "shell"), ("tell", "perl")])
def test_a_script_that_cannot_be_is_refused(tmp_path: Path, name: str, language: str) -> None:
    with pytest.raises(FleetError):
        call(bootstrap_tasks.new, name, language=language, folder=str(tmp_path))


# --- check ---


@pytest.mark.parametrize(
    ("text", "mode", "weight", "said"),
    [
        ("#!/bin/sh\necho\n", 0o755, "error", "has no header"),
        (HEADER.replace("Required", "Requird") + "echo $NAME\n", 0o755, "error", "no key Requird"),
        (HEADER + "echo $NAME $OTHER\n", 0o755, "error", "reads OTHER"),
        (HEADER + "true\n", 0o755, "hint", "declares the input NAME and does not read it"),
        (HEADER + "echo $NAME\n", 0o644, "error", "chmod +x"),
        (HEADER.removeprefix("#!/bin/sh\n") + "echo $NAME\n", 0o755, "error", "the first line"),
        (
            HEADER.replace("# Inputs", "# Attachments: [a]\n# Inputs") + "echo $NAME\n",
            0o755,
            "error",
            "attachment a",
        ),
        (HEADER + "useradd $NAME\n", 0o755, "hint", "getent passwd"),
    ],
)
def test_what_is_wrong_with_a_script_is_said(
    tmp_path: Path, text: str, mode: int, weight: str, said: str
) -> None:
    (found,) = script_check.check(put(tmp_path, "a", text, mode)).findings
    assert said in found.what
    assert found.weight == weight


def test_inputs_read_in_the_library_are_not_missed(tmp_path: Path) -> None:
    text = HEADER + "from bootstrap.act import perform\n"
    assert script_check.check(put(tmp_path, "a", text)).findings == ()


@pytest.mark.parametrize(
    ("lines", "silenced"),
    [
        ("useradd web", "id web || useradd web"),
        ("groupadd web", "getent group web || groupadd web"),
        ("echo a >> /etc/fstab", "grep -q a /etc/fstab || echo a >> /etc/fstab"),
        ("echo a | tee -a /etc/hosts", 'echo "wrote" >> "$BOOTSTRAP_CHANGES"'),
        ("mkfs.ext4 /dev/sdf", 'if ! blkid "$disk"; then\n  mkfs.ext4 "$disk"\nfi'),
        ("mount /dev/sdf /var/cache", "mountpoint -q /m || mount /dev/sdf /m"),
        ("mkdir /srv/a", "mkdir -p /srv/a"),
        ("mkdir -m 700 /srv/a", "mkdir -vp /srv/a"),
        ("ln -s a b", "ln -sfn a b"),
        ("rm /etc/a", "rm -rf /etc/a"),
        ("systemctl restart apache2", 'if [ "$changed" ]; then\n systemctl restart apache2\nfi'),
        ("apt-get -y install curl", "apt-get -y install curl  # repeatable: apt knows what is there"),
        ("pip3 install boto3", "umount /m"),
    ],
)
def test_what_bears_no_repeating_is_hinted_at_unless_it_is_guarded(lines: str, silenced: str) -> None:
    assert [line for line, _ in repetition.hints(f"#!/bin/sh\n{lines}\n")] == [2]
    assert list(repetition.hints(f"#!/bin/sh\n{silenced}\n")) == []


def test_what_a_comment_says_is_no_command() -> None:
    assert list(repetition.hints("# useradd web >> log\ntrue # mkdir a\n")) == []


def test_shellchecks_warnings_are_errors_and_its_remarks_hints() -> None:
    comments = [
        {"line": 3, "level": level, "code": 2086, "message": "quote"} for level in ("warning", "info")
    ]
    assert shellcheck.read("a", json.dumps({"comments": comments})) == [
        Finding("a", 3, "error", "SC2086: quote"),
        Finding("a", 3, "hint", "SC2086: quote"),
    ]
    assert shellcheck.read("a", "") == []


def test_only_shell_is_shown_to_shellcheck(tmp_path: Path) -> None:
    asked: list[str] = []

    def ask(path: Path) -> list[Finding]:
        asked.append(path.name)
        return [Finding(path.name, 1, "error", "SC1: oh")]

    put(tmp_path, "a", HEADER + "echo $NAME\n")
    put(tmp_path, "b", HEADER.replace("/bin/sh", "/usr/bin/python3") + "environ['NAME']\n")
    found = [script_check.check(one, ask).findings for one in script_check.scripts_in(tmp_path)]
    assert asked == ["a"]
    assert [len(one) for one in found] == [1, 0]


def test_run_lists_name_scripts_that_exist(tmp_path: Path) -> None:
    put(tmp_path, "a", HEADER + "echo $NAME\n")
    settings = tmp_path / "x.toml"
    settings.write_text('[run_lists]\nboot = ["a", "b"]\nstart = []\n')
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    put(scripts, "a", HEADER + "echo $NAME\n")
    done = call(bootstrap_tasks.check, folder=str(scripts), settings=[str(settings)], shellcheck=False)
    assert [one.what for one in done.findings] == [
        "run list boot: there is no script 'b'",
        "there is no run list 'start': boot, operational, decommission",
    ]
    assert done.degraded


def test_inputs_to_be_given_are_checked_against_what_scripts_take(tmp_path: Path) -> None:
    put(tmp_path, "a", HEADER + "echo $NAME\n")
    done = call(bootstrap_tasks.check, folder=str(tmp_path), input_=["OTHER=text:1"], shellcheck=False)
    assert [(one.weight, one.what) for one in done.findings] == [
        ("error", "the input NAME is required"),
        ("hint", "no script declares OTHER"),
    ]
    good = call(bootstrap_tasks.check, folder=str(tmp_path), input_=["NAME=text:1"], shellcheck=False)
    assert good.document() == {"scripts": ["a"], "findings": [], "shellcheck": False}
    assert not good.degraded


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FleetError, match="there is no folder"):
        call(bootstrap_tasks.check, folder=str(tmp_path / "none"))
