"""Programs that we print, as templates of Jinja: `«…»` is filled in, `§` is before statements."""

from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined, Template

ENVIRONMENT = Environment(  # noqa: S701  (of programs, which no page shows unescaped)
    variable_start_string="«",
    variable_end_string="»",
    block_start_string="«%",
    block_end_string="%»",
    comment_start_string="«#",
    comment_end_string="#»",
    line_statement_prefix="§",
    undefined=StrictUndefined,
    keep_trailing_newline=True,
)


def source(package: str, name: str) -> str:
    """Return the text of a template that lies in a package of ours."""
    return files(package).joinpath(name).read_text(encoding="utf-8")


@cache
def template(text: str) -> Template:
    """Return a text as a template."""
    return ENVIRONMENT.from_string(text)


def filled(package: str, name: str, **gaps: Any) -> str:
    """Return a template that lies in a package of ours, filled in."""
    return template(source(package, name)).render(gaps)
