"""What a Gradio app of version 4.44, 5 or 6 offers, read from its `/config` and its `info`.

Both documents come from a server that may be anything: whatever they hold, reading them does not
fail, and what is not understood is left out.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aitk_nb._yaml import facts
from aitk_nb.models.endpoint import Endpoint, Parameter

MOST = 2000
"""Functions and parameters that are read; a real app has far fewer."""

# Components whose value stays on the server or on the page: a caller sends null, or nothing.
STATE = "state"
FILE_WORDS = ("file", "image", "audio", "video", "gallery", "uploadbutton")


@dataclass(frozen=True, slots=True)
class AppDescription:
    """What the two documents say."""

    version: str
    """Gradio's."""
    prefix: str
    """Path before every address of the API: `/gradio_api` from version 5 on."""
    endpoints: tuple[Endpoint, ...]
    """The functions of the app."""


def read_app(config: object, info: object) -> AppDescription:
    """Return what the documents say; either may be missing or be anything at all."""
    config = _mapping(config)
    named, unnamed = (
        _mapping(_mapping(info).get(f"{kind}_endpoints")) for kind in ("named", "unnamed")
    )
    prefix = prefix_of(config)
    components = {
        str(item.get("id")): item for item in _mappings(config.get("components")) if "id" in item
    }
    functions = [
        _function(item, position, prefix, components, named, unnamed)
        for position, item in enumerate(_mappings(config.get("dependencies")))
        if item.get("backend_fn", True) is not False
    ]
    seen = {function.name for function in functions}
    for name in list(named)[:MOST]:
        if _api_name(name) not in seen:
            described = _function({"api_name": name}, 0, prefix, {}, named, unnamed)
            functions.append(replace(described, known_by="info", index=None))
    return AppDescription(_text(config.get("version")), prefix, tuple(functions))


def prefix_of(config: object) -> str:
    """Return the path before every address of the API, as `/gradio_api`, or nothing."""
    prefix = _text(_mapping(config).get("api_prefix")).rstrip("/")
    # It becomes a part of every address; anything but a plain path is a mistake or an attack.
    plain = prefix.startswith("/") and not prefix.startswith("//")
    parts = [part.replace("-", "").replace("_", "") for part in prefix.split("/")[1:]]
    return prefix if plain and prefix.isascii() and all(map(str.isalnum, parts)) else ""


def fixed(prefix: str, version: str) -> tuple[Endpoint, ...]:
    """Return the addresses that every Gradio app of that version has, functions apart."""
    known = f"catalog of Gradio {version.split('.')[0] or '4 to 6'}, probe"
    return tuple(
        Endpoint(
            **{
                **entry,
                "path": entry["path"].replace("{prefix}", prefix),
                "parameters": tuple(Parameter(**one) for one in entry.get("parameters", ())),
                "known_by": known,
            }
        )
        for entry in facts("aitk_nb.backends.gradio", "fixed_endpoints")
    )


def _function(
    item: Mapping[str, Any],
    position: int,
    prefix: str,
    components: Mapping[str, Mapping[str, Any]],
    named: Mapping[str, Any],
    unnamed: Mapping[str, Any],
) -> Endpoint:
    number = item.get("id")
    index = number if isinstance(number, int) and not isinstance(number, bool) else position
    name = _api_name(item.get("api_name"))
    about = _mapping(named.get(name) if name else unnamed.get(str(index)))
    if name and not about:
        about = _mapping(named.get(name.lstrip("/")))
    inputs = [components.get(str(key), {}) for key in _items(item.get("inputs"))]
    return Endpoint(
        name=name or f"fn_{index}",
        method="POST",
        path=f"{prefix}/call{name}" if name else f"{prefix}/queue/join",
        does=_does(item, about, components),
        parameters=_parameters(inputs, list(_mappings(about.get("parameters")))),
        returns=_returns(about, item, components),
        known_by="info and config" if about else "config",
        state="present",
        note=_visibility(item, about),
        acts=True,
        generator=_mapping(item.get("types")).get("generator") is True,
        index=index,
    )


def _api_name(name: object) -> str:
    return "/" + name.lstrip("/") if isinstance(name, str) and name.strip("/") else ""


def _does(
    item: Mapping[str, Any], about: Mapping[str, Any], components: Mapping[str, Mapping[str, Any]]
) -> str:
    text = _text(about.get("description")) or _text(item.get("api_description"))
    if text:
        return text
    for target in _items(item.get("targets")):
        pair = _items(target)
        source = components.get(str(pair[0]), {}) if pair else {}
        props = _mapping(source.get("props"))
        label = _text(props.get("label")) or _text(props.get("value"))
        if label and len(pair) > 1:
            return f"what '{label}' does on {_text(pair[1])}"
    after = item.get("trigger_after")
    return "runs after another function on the page" if isinstance(after, int) else ""


def _visibility(item: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    said = about.get("api_visibility", item.get("api_visibility"))
    if isinstance(said, str) and said != "public":
        return f"{said}: not listed by the app"
    hidden = about.get("show_api", item.get("show_api")) is False
    return "not listed by the app" if hidden else ""


def _parameters(
    inputs: Sequence[Mapping[str, Any]], described: Sequence[Mapping[str, Any]]
) -> tuple[Parameter, ...]:
    """Return parameters in the order of a raw request's `data`.

    `info` leaves out what a caller cannot give, such as State; the inputs of the config have it.
    """
    if not inputs:
        return tuple(_named(about, place) for place, about in enumerate(described[:MOST]))
    left = iter(described)
    found: list[Parameter] = []
    for place, component in enumerate(inputs[:MOST]):
        if component.get("type") == STATE or component.get("skip_api") is True:
            found.append(Parameter(f"state_{place}", "any", hidden=True))
            continue
        about, props = next(left, None), _mapping(component.get("props"))
        one = _drawn(component, place) if about is None else _named(about, place)
        if types := ", ".join(map(str, _items(props.get("file_types")))):
            one = replace(one, about=f"{one.about} ({types})")
        least, most = (_number(props.get(key)) for key in ("minimum", "maximum"))
        found.append(replace(one, minimum=least, maximum=most))
    return tuple(found)


def _named(about: Mapping[str, Any], place: int) -> Parameter:
    """Return a parameter as `info` describes it."""
    schema = _mapping(about.get("type"))
    component = _text(about.get("component"))
    word = _text(_mapping(about.get("python_type")).get("type"))
    required = about.get("parameter_has_default") is not True
    label = _text(about.get("label"))
    return Parameter(
        name=_text(about.get("parameter_name")) or f"param_{place}",
        type=_type(schema, component, word),
        required=required,
        default=None if required else about.get("parameter_default"),
        choices=_choices(schema),
        about="" if label.startswith("parameter_") else label,
        example=about.get("example_input"),
    )


def _drawn(component: Mapping[str, Any], place: int) -> Parameter:
    """Return a parameter as the page draws it, where there is no `info`."""
    props = _mapping(component.get("props"))
    schema = _mapping(component.get("api_info"))
    choices = tuple(
        _items(choice)[-1] if _items(choice) else choice for choice in _items(props.get("choices"))
    )
    value = props.get("value")
    return Parameter(
        name=f"param_{place}",
        type=_type(schema, _text(component.get("type")), ""),
        required=value is None or value == "",
        default=None if value == "" else value,
        choices=_choices(schema) or choices,
        about=_text(props.get("label")),
        example=component.get("example_inputs"),
    )


def _type(schema: Mapping[str, Any], component: str, word: str) -> str:
    is_file = component.lower() in FILE_WORDS or "filepath" in word
    if schema.get("type") == "array":
        if is_file:
            return "list of file"
        inner = _mapping(schema.get("items")).get("type")
        return f"list of {inner}" if isinstance(inner, str) else "list of any"
    if is_file:
        return "list of file" if word.startswith("list") else "file"
    said = schema.get("type")
    if isinstance(said, str) and said in {"string", "number", "integer", "boolean", "object"}:
        return said
    return "string" if _choices(schema) else "any"


def _choices(schema: Mapping[str, Any]) -> tuple[object, ...]:
    listed = _items(schema.get("enum")) or _items(_mapping(schema.get("items")).get("enum"))
    return tuple(item for item in listed[:MOST] if isinstance(item, str | int | float))


def _returns(
    about: Mapping[str, Any], item: Mapping[str, Any], components: Mapping[str, Mapping[str, Any]]
) -> str:
    words = [_returned(each) for each in _mappings(about.get("returns"))]
    if not words:
        outputs = [components.get(str(key), {}) for key in _items(item.get("outputs"))]
        shown = {_text(component.get("type")) for component in outputs} - {"", STATE}
        return "nothing" if about or not shown else ""
    return ", ".join(words) if len(words) <= 3 else f"{len(words)} values"


def _returned(value: Mapping[str, Any]) -> str:
    component = _text(value.get("component"))
    word = _text(_mapping(value.get("python_type")).get("type"))
    return f"{component or 'value'}: {_type(_mapping(value.get('type')), component, word)}"


# -- reading what may be anything -----------------------------------------------------------------


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        return {}
    return {key: item for key, item in value.items() if isinstance(key, str)}


def _items(value: object) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def _mappings(value: object) -> Iterator[Mapping[str, Any]]:
    return (item for item in _items(value)[:MOST] if isinstance(item, Mapping))


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _text(value: object) -> str:
    return " ".join(value.split())[:500] if isinstance(value, str) else ""
