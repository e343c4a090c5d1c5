"""One call of a function of a Gradio app in all five languages.

The value of a State is sent as null: the app keeps it for the page. A function that needs what
another one left in the State has to be called in the same session (`operations.py`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from urllib.parse import quote

from aitk_nb.discovery.snippets import typescript
from aitk_nb.discovery.snippets.program import (
    LITERALS,
    Code,
    assembled,
    head,
    is_keyword_argument,
    javascript,
    json_in_shell,
    member,
    python,
    sends,
)
from aitk_nb.discovery.snippets.rest_call import checked, example_of
from aitk_nb.models.endpoint import Endpoint, Parameter, rows

META = {"_type": "gradio.FileData"}


@dataclass(frozen=True, slots=True)
class Call:
    """One function with the values that it gets."""

    endpoint: Endpoint
    prefix: str
    values: Mapping[str, object]
    """Value by parameter; files as local paths."""

    @property
    def is_named(self) -> bool:
        """True for a function with a name; another one is called by its number."""
        return self.endpoint.name.startswith("/")

    @property
    def path(self) -> str:
        """Where it is called, percent-encoded."""
        name = quote(self.endpoint.name, safe="/")
        return f"{self.prefix}/call{name}" if self.is_named else f"{self.prefix}/queue/join"

    @property
    def watched(self) -> str:
        """Where its results are, up to the number of the call or the session."""
        return f"{self.path}/" if self.is_named else f"{self.prefix}/queue/data?session_hash="

    @property
    def files(self) -> list[str]:
        """Every local file that is sent, each once."""
        sent = (self.values[p.name] for p in self.endpoint.sent if "file" in p.type)
        return list(dict.fromkeys(path for value in sent for path in _paths(value)))

    def data(self, file: Callable[[str], object]) -> list[object]:
        """Return the values in the order of the wire; `file` says how a file is named there."""
        return data_of(self.endpoint, self.values, file)


def function_call(
    endpoint: Endpoint,
    language: str,
    url: str,
    auth: str,
    prefix: str,
    values: Mapping[str, object],
) -> str:
    """Return a program that calls a function of a Gradio app.

    Args:
        endpoint: The function.
        language: One of `LANGUAGES`.
        url: The server's address.
        auth: What proves who asks: `login`, or anything else for nothing.
        prefix: Path before every address of the app's API.
        values: Values by parameter, files as local paths; examples stand for the others.

    Raises:
        BadInput: The function has no such parameter.
    """
    checked(endpoint, values)
    call = Call(endpoint, prefix, {**examples(endpoint), **values})
    title = endpoint.does or endpoint.name
    if language == "typescript":
        gaps = {"call": call, "data": _typescript(call)}
        return typescript.function(endpoint, title, "unknown[]", "function", gaps)
    gaps = {"call": call, "url": LITERALS[language](url), "send": sends(auth)}
    gaps |= _DATA[language](call)
    return assembled(language, [title], [*head(auth), "fetch", "function"], gaps)


def examples(endpoint: Endpoint) -> dict[str, object]:
    """Return a value for each parameter that a caller gives."""
    return {parameter.name: example_of(parameter) for parameter in endpoint.sent}


def data_of(
    endpoint: Endpoint, values: Mapping[str, object], file: Callable[[str], object]
) -> list[object]:
    """Return the values of a call in the order of the wire.

    Args:
        endpoint: The function.
        values: Value by parameter; files as local paths, or code that is put in as it is.
        file: From a local path to how the file is named on the wire.
    """

    def value_of(parameter: Parameter) -> object:
        value = None if parameter.hidden else values[parameter.name]
        if "file" not in parameter.type or isinstance(value, Code):
            return value
        named = [file(path) for path in _paths(value)]
        return named if parameter.type.startswith("list") else (named or [None])[0]

    return [value_of(parameter) for parameter in endpoint.parameters]


def _paths(value: object) -> list[str]:
    if value is None or isinstance(value, Code):
        return []
    return [str(each) for each in value] if isinstance(value, list | tuple) else [str(value)]


def _curl(call: Call) -> dict[str, object]:
    names = {path: Code(f"file{number}") for number, path in enumerate(call.files)}
    body: dict[str, object] = {"data": call.data(lambda path: {"path": names[path], "meta": META})}
    if not call.is_named:
        body |= {"fn_index": call.endpoint.index, "session_hash": Code("event")}
    return {"body": json_in_shell(body)}


def _python(call: Call) -> dict[str, object]:
    return {"data": python(call.data(lambda path: Code(f"uploaded[{python(path)}]")))}


def _gradio_client(call: Call) -> dict[str, object]:
    data = call.data(lambda path: Code(f"handle_file({python(path)})"))
    pairs = [
        (p.name, value)
        for p, value in zip(call.endpoint.parameters, data, strict=True)
        if not p.hidden
    ]
    by_name = all(is_keyword_argument(n) and n not in {"api_name", "fn_index"} for n, _ in pairs)
    if by_name and len(pairs) <= 20:
        arguments = [f"{name}={python(value)}" for name, value in pairs]
    else:
        arguments = [python([value for _, value in pairs])[1:-1]]
    named = f"api_name={python(call.endpoint.name)}"
    arguments.append(named if call.is_named else f"fn_index={call.endpoint.index}")
    return {"arguments": arguments}


def _javascript(call: Call) -> dict[str, object]:
    def file(path: str) -> Code:
        return Code(f"await upload({javascript(path)}, {javascript(PurePath(path).name)})")

    return {"data": javascript(call.data(file))}


def _typescript(call: Call) -> list[str]:
    """Return the expressions of the values that a call sends."""
    words = []
    for parameter, *more in rows(call.endpoint.parameters):
        is_text = more and parameter.type == "string" and parameter.default is None
        default = javascript("" if is_text else parameter.default)
        if parameter.hidden:
            words += ["null"] * (len(more) + 1)
        elif more:
            given = member(f"{parameter.name}_to_{more[-1].name}")
            size = f"{{ length: {len(more) + 1} }}"
            words.append(f"...Array.from({size}, (_, at) => {given}?.[at] ?? {default})")
        else:
            given = member(parameter.name)
            words.append(given if parameter.required else f"{given} ?? {default}")
    return words


_DATA: Mapping[str, Callable[[Call], dict[str, object]]] = {
    "curl": _curl,
    "python": _python,
    "gradio_client": _gradio_client,
    "javascript": _javascript,
}
"""What the parts of each language are filled with: the values in the order of the wire."""
