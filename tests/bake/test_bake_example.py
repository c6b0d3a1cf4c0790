"""The example that is shipped: what a spec of one's own needs, and that it needs none of our code."""

from __future__ import annotations

from pathlib import Path

from bake.plan import plan
from bake.spec import layers
from bake.steps.file import File

ROOT = Path(__file__).parent.parent.parent
HELLO = ROOT / "bake" / "examples" / "hello" / "hello.toml"


def test_it_stands_on_the_base_that_our_own_application_stands_on() -> None:
    assert [spec.path for spec in layers(HELLO)] == [ROOT / "bake" / "base.toml", HELLO]


def test_its_plan_is_a_user_its_folder_the_application_and_its_site() -> None:
    _, hello = layers(HELLO)
    ours, *own = (step.describe().partition(" (")[0] for step in plan(hello))
    assert ours == "file /usr/sbin/policy-rc.d"  # nothing is started while baking
    assert own == [
        "system user hello",
        "folder /var/lib/hello",
        "file /opt/hello/hello.py",
        "file /etc/apache2/sites-available/hello.conf",
        "link /etc/apache2/sites-enabled/hello.conf -> ../sites-available/hello.conf",
        "file /etc/amibake/bootstrap.toml",
    ]


def test_what_it_greets_with_is_a_variable_of_the_spec() -> None:
    _, hello = layers(HELLO)
    (program,) = (
        step for step in plan(hello) if isinstance(step, File) and step.path == "/opt/hello/hello.py"
    )
    assert b'GREETING = "Hello from a baked image"' in program.content


def test_its_suite_is_ours_for_any_system_and_a_file_of_its_own() -> None:
    _, hello = layers(HELLO)
    names = [path.name for path in hello.verify.tests]
    assert names == ["test_system.py", "test_hygiene.py", "test_ssh.py", "test_hello.py"]
    assert all(path.is_file() for path in hello.verify.tests)
