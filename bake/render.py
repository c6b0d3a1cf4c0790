"""Templates to text: strict, pure, one function."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from jinja2 import (
    Environment,
    FileSystemLoader,
    StrictUndefined,
    TemplateError,
    TemplateSyntaxError,
    UndefinedError,
)
from jinja2.meta import find_undeclared_variables

from bake.errors import RenderError

if TYPE_CHECKING:
    from pathlib import Path


def render(template: Path, variables: Mapping[str, object]) -> str:
    """The text of `template` with `variables` filled in.

    Raises RenderError naming the template, the line and the variable that nobody defined.
    """
    # The output is configuration and shell, not HTML: escaping would corrupt it.
    environment = Environment(  # noqa: S701
        loader=FileSystemLoader(template.parent), undefined=StrictUndefined, keep_trailing_newline=True
    )
    try:
        return environment.get_template(template.name).render(variables)
    except TemplateSyntaxError as why:
        raise RenderError(f"{template}:{why.lineno}: {why.message}") from why
    except UndefinedError as why:
        line = _line(why, str(template))
        missing = _missing(environment, template, variables)
        raise RenderError(
            f"{template}:{line}: {missing or why.message} is not defined",
            hint=f"add it under [vars] in the spec; known here: {', '.join(sorted(variables)) or 'nothing'}",
        ) from why
    except TemplateError as why:
        raise RenderError(f"{template}: {why}") from why


def _missing(environment: Environment, template: Path, variables: Mapping[str, object]) -> str:
    wanted = find_undeclared_variables(environment.parse(template.read_text()))
    return ", ".join(f"`{name}`" for name in sorted(wanted - set(variables)))


def _line(why: BaseException, template: str) -> int:
    """The line of the template on which rendering stopped: Jinja keeps it only in the traceback."""
    trace, line = why.__traceback__, 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == template:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
