"""Options of commands: a function's parameters, described in its docstring below `Args:`."""

import copy
import inspect
import re
from collections.abc import Callable, Iterable
from inspect import Parameter, Signature
from typing import Annotated, Any, get_args, get_origin

import typer

_SECTION = "\n\nArgs:\n"
_DESCRIBED = re.compile(r"^    (\w+): (.+?)(?=\n    \w|\Z)", re.MULTILINE | re.DOTALL)


def summary(function: Callable[..., Any]) -> str:
    """Return the docstring without the descriptions of the parameters."""
    return (inspect.getdoc(function) or "").partition(_SECTION)[0]


def signature(function: Callable[..., Any]) -> Signature:
    """Return the signature with its annotations resolved, and what is described as options."""
    found = inspect.signature(function, eval_str=True)
    section = (inspect.getdoc(function) or "").partition(_SECTION)[2]
    told = {name: " ".join(text.split()) for name, text in _DESCRIBED.findall(section)}
    return found.replace(
        parameters=[
            _option(item, told[item.name]) if item.name in told else item
            for item in found.parameters.values()
        ]
    )


def _option(item: Parameter, text: str) -> Parameter:
    """Return a parameter as an option; without a default, as an argument."""
    kind, declared = item.annotation, None
    if get_origin(kind) is Annotated:
        kind, declared = get_args(kind)
    if declared is None and item.default is Parameter.empty:
        declared = typer.Argument()
    elif declared is None:
        # A switch is off by default, and needs no option that says so.
        flag = "--" + item.name.replace("_", "-")
        declared = typer.Option(flag) if kind is bool else typer.Option()
    declared = copy.copy(declared)
    declared.help = declared.help or text
    return item.replace(annotation=Annotated[kind, declared])


def with_options(
    function: Callable[..., None],
    taken: str,
    make: Callable[..., object],
    call: Callable[..., None] | None = None,
) -> Callable[..., None]:
    """Put the options of `make` in the place of a parameter, which gets what it returns of them.

    Args:
        function: A command.
        taken: Its parameter.
        make: Returns the value for it.
        call: Called with that value, if not the command itself.
    """
    own = [item for item in signature(function).parameters.values() if item.name != taken]
    shared = list(signature(make).parameters.values())

    def run(**kwargs: Any) -> None:
        made = make(**{item.name: kwargs.pop(item.name) for item in shared})
        (call or function)(made, **kwargs)

    set_signature(run, [*own, *shared], function)
    return run


def set_signature(
    function: Callable[..., None], parameters: Iterable[Parameter], like: Callable[..., None]
) -> None:
    """Make typer see `parameters`, and the documentation of `like`."""
    as_options = [item.replace(kind=Parameter.KEYWORD_ONLY) for item in parameters]
    function.__doc__ = like.__doc__
    function.__signature__ = Signature(as_options)  # type: ignore[attr-defined]
    function.__annotations__ = {item.name: item.annotation for item in as_options}
