"""The front desk: every room's tasks, the cloud they talk to, and how they end.

Rooms raise and return; only this file exits: 0 done, 1 failed, 2 usable but degraded.
"""

from __future__ import annotations

import functools
import inspect
import json
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn, Protocol, runtime_checkable

from botocore.exceptions import BotoCoreError, ClientError
from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import Task, task
from rich.console import Console, Group
from rich.markup import escape

from aws import tasks as aws_tasks
from aws.errors import AwsError
from bake import tasks as bake_tasks
from bake.errors import BakeError
from fleet import tasks as fleet_tasks
from fleet.demo import Demo
from fleet.errors import FleetError
from localcloud import control, needs
from localcloud.errors import LocalCloudError
from localcloud.needs import Need
from localcloud.site import site_from_environment
from resizer.errors import ResizerError

# The benchmarks live with the tests, which are no package; like them, they need a clone.
sys.path.append(str(Path(__file__).parent / "tests"))
from bench.errors import BenchError

ROOT_ERRORS = (AwsError, BakeError, BenchError, FleetError, LocalCloudError, ResizerError)
CLOUDS = ("local", "aws")

_stderr = Console(stderr=True)


@runtime_checkable
class Outcome(Protocol):
    """What a task returns: a document for programs, itself for people, and whether it is only half well."""

    degraded: bool

    def document(self) -> Any:
        """The JSON document of `--json`."""


@dataclass(frozen=True)
class Shown:
    """A bake, and a node of what it made, in service."""

    baked: bake_tasks.BakeDone
    demo: Demo
    degraded: bool = False

    def document(self) -> dict[str, Any]:
        """As JSON: the bake's document with the demonstration beside it."""
        return {**self.baked.document(), "demo": self.demo.document()}

    def __rich__(self) -> Group:
        """As people read it."""
        return Group(self.baked, "", self.demo)


_JSON_HELP = {"json": "print one JSON document on standard output"}
_CLOUD_HELP = {
    "install": "install missing Debian packages; --no-install names them and stops",
    "cloud": "`local` (default; machines on this computer) or `aws`; $INVOKE_CLOUD sets it",
}


def never(_: Mapping[str, Any]) -> bool:
    """What most calls' options say of doing without a cloud."""
    return False


def at_the_desk(
    room_task: Any,
    *,
    cloud: bool,
    plans_alone: bool = False,
    alone: Callable[[Mapping[str, Any]], bool] = never,
    then: Callable[[Any, str], Any] = lambda outcome, _: outcome,
) -> Task[Any]:
    """A room's task as people call it: with --json, with --cloud where it talks to one, with exit codes.

    With `plans_alone`, its --dry-run starts no cloud; the task hears in `cloud_answers` whether it may ask.
    `alone` tells of a call's options whether it needs no cloud at all. `then` may go on from the task's
    outcome, on the cloud that was chosen.
    """
    body = room_task.body

    @functools.wraps(body)
    def call(context: Context, *args: Any, **kwargs: Any) -> None:
        if "--help" in (*args, *kwargs.values()):
            # Invoke gives a task that wants a value whatever comes next.
            _fail("--help was taken for a value", "`invoke --help TASK` shows what a task takes")
        as_json = kwargs.pop("json", False)
        where = kwargs.pop("cloud", "") or context.config.get("cloud", "local")
        install = kwargs.pop("install", True) if cloud else True
        planning = plans_alone and kwargs.get("dry_run", False)
        with _errors(), ExitStack() as stack:
            answers = not planning or _answers(where)
            context.config.update({"cloud_answers": answers})
            if cloud and answers and not alone(kwargs):
                stack.enter_context(the_cloud(where, install=install))
            outcome = then(body(context, *args, **kwargs), where)
            _show(outcome, as_json=as_json)
        if isinstance(outcome, Outcome) and outcome.degraded:
            sys.exit(2)

    call.__signature__ = _signature(body, cloud=cloud)  # type: ignore[attr-defined]
    return Task(
        call,
        name=room_task.name,
        default=bool(room_task.is_default),
        help={**room_task.help, **_JSON_HELP, **(_CLOUD_HELP if cloud else {})},
        iterable=room_task.iterable,
        auto_shortflags=False,
    )


def _signature(body: Callable[..., Any], *, cloud: bool) -> inspect.Signature:
    own = inspect.signature(body)
    # Invoke takes a flag's kind from its default's type, and knows of no repeated one but a list.
    listed = [one.replace(default=[]) if one.default == () else one for one in own.parameters.values()]
    added = [inspect.Parameter("json", inspect.Parameter.KEYWORD_ONLY, default=False)]
    if cloud:
        added.append(inspect.Parameter("cloud", inspect.Parameter.KEYWORD_ONLY, default=""))
        added.append(inspect.Parameter("install", inspect.Parameter.KEYWORD_ONLY, default=True))
    return own.replace(parameters=[*listed, *added])


def demonstrate(baked: object, cloud: str) -> object:
    """After a bake of the resizer on the local cloud, where nodes cost nothing, have one serve."""
    if cloud == "local" and isinstance(baked, bake_tasks.BakeDone) and baked.image.name == "resizer":
        return Shown(baked, fleet_tasks.demonstration_of(baked.cloud, baked.image.id))
    return baked


@contextmanager
def the_cloud(name: str, *, install: bool = True) -> Iterator[None]:
    """Aim boto3 at the chosen cloud for a task; the local one is started when it does not run."""
    if name not in CLOUDS:
        raise LocalCloudError(f"there is no cloud {name!r}", f"choose one of: {', '.join(CLOUDS)}")
    if name == "aws":
        yield
        return
    site = site_from_environment()
    if site.bodies:
        needs.ensure(_note, install=install)
    control.up(site, _note)
    os.environ.update(site.environment)
    for other in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        os.environ.pop(other, None)
    with control.notices(site, _note):
        yield


def _answers(cloud: str) -> bool:
    """Whether a cloud can be asked without starting it; AWS itself is asked for credentials later."""
    return cloud != "local" or bool(control.status(site_from_environment())["running"])


@contextmanager
def _errors() -> Iterator[None]:
    """Turn a room's errors into a sentence, a next step and an exit code; clean-ups run before it is said."""
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    except ROOT_ERRORS as why:
        _fail(str(why), why.hint)
    except ClientError as why:
        _fail(
            f"AWS refused: {why}",
            "do these credentials allow the action? `aws sts get-caller-identity` names them",
        )
    except BotoCoreError as why:
        _fail(
            f"AWS could not be asked: {why}",
            "is there a way to it from here? see AWS_ENDPOINT_URL, AWS_REGION",
        )
    except KeyboardInterrupt:
        _fail("interrupted; everything temporary was removed", "run the same command again")
    finally:
        signal.signal(signal.SIGTERM, previous)


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _fail(what: str, hint: str) -> NoReturn:
    _stderr.print("[red bold]error[/]", end=" ")
    _stderr.print(what, markup=False, highlight=False, soft_wrap=True)
    if hint:
        _stderr.print("[bold]next[/] ", end=" ")
        _stderr.print(hint, markup=False, highlight=False, soft_wrap=True)
    sys.exit(1)


def _show(outcome: object, *, as_json: bool) -> None:
    if not isinstance(outcome, Outcome):
        return
    if as_json:
        sys.stdout.write(json.dumps(outcome.document(), indent=2) + "\n")
    else:
        # Written into a file or a pipe, a table is as wide as it needs to be.
        Console(width=None if sys.stdout.isatty() else 160).print(outcome)


def _note(text: str) -> None:
    _stderr.print(f"  [dim]{escape(text)}[/]", highlight=False, soft_wrap=True)


@task(help={"install": "install what is missing (--no-install prints the command and stops)"})
def setup(_: Context, install: bool = True) -> None:
    """Install the Debian packages that the local cloud needs, saying what each is for."""
    with _errors():
        needs.ensure(_note, install=install)


@task
def check(context: Context) -> None:
    """Run ruff, mypy --strict, import-linter and the README check."""
    here = Path(sys.executable).parent
    for command in (
        "ruff check .",
        "ruff format --check .",
        "mypy",
        "lint-imports",
        "python tests/readme.py",
    ):
        context.run(str(here / command), echo=True)


# What tests start on this computer itself: the site in an Apache of its own, and a browser that looks at it.
_TESTED_WITH = (
    Need(
        "libapache2-mod-wsgi-py3", "/usr/lib/apache2/modules/mod_wsgi.so", "serves the resizer to its tests"
    ),
    Need("chromium", "chromium", "shows what the resizer has made"),
)


@task(help={"unit": "only the sealed unit tests, which take a few minutes and need no root"})
def test(context: Context, unit: bool = False) -> None:
    """Run the checks and every test, those that boot machines on this computer too."""
    check(context)
    if not unit:
        with _errors():
            needs.ensure(_note, wanted=_TESTED_WITH)
    # Those that are sealed meet nobody; those that boot machines mostly wait, two files of them at a time.
    context.run(f"{sys.executable} -m pytest -m 'not machines' --numprocesses=logical", echo=True)
    if not unit:
        context.run(f"{sys.executable} -m pytest -m machines --numprocesses=2 --dist=loadfile", echo=True)


# Of these modules TASKS talk to a cloud, and TASKS_WITHOUT_CLOUD do not.
_COLLECTIONS = {
    "images": ("bake.image_tasks",),
    "fleet": ("fleet.deployment_tasks", "fleet.node_tasks", "fleet.roll_tasks"),
    "dns": ("fleet.dns_tasks",),
    "bootstrap": ("fleet.bootstrap_tasks",),
    "lb": ("fleet.lb_tasks",),
    "resizer": ("fleet.resizer_tasks",),
    "local": ("localcloud.tasks",),
    "bench": ("bench.tasks",),
}


def _collection(name: str) -> Collection:
    """Tasks as people call them, under one word."""
    made = Collection(name)
    for module in map(import_module, _COLLECTIONS[name]):
        for one in getattr(module, "TASKS_WITHOUT_CLOUD", ()):
            made.add_task(at_the_desk(one, cloud=False))
        for one in getattr(module, "TASKS", ()):
            made.add_task(at_the_desk(one, cloud=True, alone=getattr(module, "needs_no_cloud", never)))
    return made


def collection(words: Iterable[str] = ()) -> Collection:
    """All tasks; for a command line that names some, no more collections than it names.

    The import of all costs every command a quarter of a second.
    """
    root = Collection(setup, check, test)
    root.add_task(at_the_desk(bake_tasks.bake, cloud=True, plans_alone=True, then=demonstrate))
    for one in (bake_tasks.verify, aws_tasks.sweep, fleet_tasks.demo):
        root.add_task(at_the_desk(one, cloud=True))
    named = {word.partition(".")[0] for word in words}
    partial = named & {*root.tasks, *_COLLECTIONS} and "--complete" not in named
    for name in _COLLECTIONS:
        if name in named or not partial:
            root.add_collection(_collection(name))
    root.configure({"cloud": os.environ.get("INVOKE_CLOUD", "local")})
    return root


ns = collection(sys.argv[1:] if Path(sys.argv[0]).name in ("invoke", "inv") else ())
