"""`GradioApp`: what a Gradio app says of itself, and its short calls."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from aitk_nb.backends.gradio.endpoints import prefix_of
from aitk_nb.backends.gradio.login import GradioHttp
from aitk_nb.errors import (
    AitkError,
    ConnectionFailed,
    NotSupported,
    Rejected,
    Unauthorized,
    UnexpectedReply,
)

CREATE: Final = "create dataset"
TRAIN: Final = "start training"
CAPTION: Final = "write captions"

_NAMES: Final = {
    CREATE: "/create_dataset",
    TRAIN: "/start_training",
    CAPTION: "/run_captioning",
}
"""The names that AI Toolkit's own app has; a fork's go into `operations`."""

_BRIEF: Final = 2.0
"""Seconds for a question that is asked to find out whether the server lives."""


@dataclass(frozen=True, slots=True)
class Input:
    """One value that a function of the app takes."""

    name: str
    """The parameter's name; empty for a state, which the server keeps to itself."""
    required: bool = True
    default: Any = None
    kind: str = ""
    """The component on the page, such as `file` or `textbox`."""
    props: Mapping[str, Any] = field(default_factory=dict)
    """What the component on the page allows: `minimum`, `maximum`, `choices`."""


@dataclass(frozen=True, slots=True)
class Function:
    """One function of the app, known by its API name."""

    api_name: str
    inputs: tuple[Input, ...]

    def named(self, *kinds: str) -> tuple[str, ...]:
        """Return the names of the inputs of these kinds, in their order."""
        return tuple(one.name for one in self.inputs if one.kind in kinds)

    def data(self, values: Mapping[str, Any]) -> list[Any]:
        """Return the raw list that the server takes, states as null.

        Gradio 4 and 5 refuse a list without its states, which Gradio 6 takes either way.

        Raises:
            UnexpectedReply: the function requires something that `values` does not have.
        """
        row = []
        for one in self.inputs:
            if one.name and one.name not in values and one.required:
                raise UnexpectedReply(
                    f"describe {self.api_name}", f"a parameter {one.name!r} that is unknown"
                )
            row.append(values.get(one.name, one.default) if one.name else None)
        return row


class GradioApp:
    """A Gradio app as it describes itself, asked when it is needed and once."""

    def __init__(self, http: GradioHttp, api_names: Mapping[str, str] | None = None) -> None:
        """Use `api_names`, by operation, where the app is a fork with other names."""
        self.http = http
        self._names = {**_NAMES, **(api_names or {})}
        self._lock = threading.RLock()
        self._config: Mapping[str, Any] | None = None
        self._info: Mapping[str, Any] | None = None

    @property
    def config(self) -> Mapping[str, Any]:
        """What `/config` says.

        Raises:
            NotSupported: it is an app of Gradio 3.
        """
        with self._lock:
            if self._config is None:
                self._config = _checked(self.http.get_json("/config", what="describe itself"))
            return self._config

    def log_in(self) -> None:
        """Log in now, if the app requires it: what is noted locally needs no request otherwise."""
        _ = self.config

    def look(self) -> None:
        """Ask for `/config` as somebody who has no login; an app that requires one says no more.

        Raises:
            NotSupported: it is an app of Gradio 3.
        """
        body = self.http.peek("/config")
        if body is not None:
            with self._lock:
                self._config = _checked(body)

    @property
    def version(self) -> str:
        """The server's version of Gradio."""
        return str(self.config["version"])

    @property
    def prefix(self) -> str:
        """What stands before the API's paths: `/gradio_api`, or nothing on Gradio 4."""
        return prefix_of(self.config)

    @property
    def names(self) -> tuple[str, ...]:
        """The API names that the app has."""
        return tuple(self._endpoints())

    def _endpoints(self) -> Mapping[str, Any]:
        with self._lock:
            if self._info is None:
                body = self.http.get_json(f"{self.prefix}/info", what="list its functions")
                named = body.get("named_endpoints") if isinstance(body, dict) else None
                if not isinstance(named, dict):
                    raise UnexpectedReply("list its functions", "no named functions")
                self._info = named
            return self._info

    def has(self, operation: str) -> bool:
        """Return whether the app has the function behind an operation."""
        return self._names[operation] in self._endpoints()

    def function(self, operation: str) -> Function:
        """Return the function behind an operation.

        Raises:
            NotSupported: the app has none of that name.
        """
        name = self._names[operation]
        entry = self._endpoints().get(name)
        if not isinstance(entry, dict):
            raise NotSupported(
                operation,
                "Gradio",
                f"This app has no function {name}; it has {', '.join(self.names) or 'none'}. If "
                "one of them does this, pass "
                f"gradio=GradioOptions(operations={{{operation!r}: '/its_name'}}).",
            )
        return Function(name, tuple(_inputs(self.config, name, entry.get("parameters", ()))))

    def run(self, operation: str, data: Sequence[Any], session: str, *, what: str) -> Any:
        """Call a short function in a session, past the queue, and return its outputs.

        It is sent again when the connection breaks: use it for what may happen twice.
        """
        name = self.function(operation).api_name
        body = {"data": list(data), "session_hash": session}
        answer = self.http.post_json(f"{self.prefix}/run{name}", body, what=what, repeat=True)
        if not isinstance(answer, dict) or not isinstance(answer.get("data"), list):
            raise UnexpectedReply(what, "no outputs")
        return answer["data"]

    # -- signs of life ------------------------------------------------------------------------

    def app_id(self) -> str:
        """Return the number that the server has drawn at its start: another one is a restart."""
        body = self._brief("/app_id", "show its app_id")
        return str(body.get("app_id", "")) if isinstance(body, dict) else ""

    def ended(self) -> int | None:
        """Return how many training jobs have ended since the server's start, of all its users.

        None where the server does not say, as Gradio 4.
        """
        try:
            body = self._brief("/monitoring/summary", "summarize its calls")
            name = self._names[TRAIN].lstrip("/")
            functions = body["functions"]
            return int(functions[name]["total_requests"]) if name in functions else 0
        except (ConnectionFailed, Unauthorized):
            raise
        except (AitkError, KeyError, TypeError, ValueError):
            return None

    def waiting(self) -> int:
        """Return how many calls wait in the queue, anybody's; what runs is not counted."""
        what = "report its queue"
        body = self._brief("/queue/status", what)
        size = body.get("queue_size") if isinstance(body, dict) else None
        if not isinstance(size, int):
            raise UnexpectedReply(what, "no length")
        return size

    def _brief(self, path: str, what: str) -> Any:
        path = path if path.startswith("/monitoring") else self.prefix + path
        answer = self.http.read("GET", path, what=what, timeout=_BRIEF)
        try:
            return answer.json()
        except ValueError as exc:
            raise UnexpectedReply(what, "no JSON") from exc


def _checked(body: Any) -> Mapping[str, Any]:
    if not isinstance(body, dict) or "version" not in body:
        raise UnexpectedReply("describe itself", "not a Gradio app")
    protocol = str(body.get("protocol", "ws"))
    if not protocol.startswith("sse"):
        raise NotSupported(
            "be used",
            f"Gradio {body['version']}",
            "AI Toolkit's own app does not run under Gradio 3: update gradio on the server.",
        )
    return body


def _inputs(config: Mapping[str, Any], name: str, parameters: Sequence[Any]) -> list[Input]:
    """Return what a function takes, in its order, by `/config` and by `/info`.

    `/info` leaves out states, and what a component allows stands in `/config` only.
    """
    components = {one.get("id"): one for one in config.get("components", ())}
    dependency = next(
        (one for one in config.get("dependencies", ()) if one.get("api_name") == name[1:]), None
    )
    ids = dependency["inputs"] if dependency else range(-1, -1 - len(parameters), -1)
    told = iter(parameters)
    inputs = []
    for identity in ids:
        component = components.get(identity, {})
        if component.get("type") == "state":
            inputs.append(Input(""))
            continue
        parameter = next(told, None)
        if parameter is None:
            raise UnexpectedReply(f"describe {name}", "fewer parameters than inputs")
        inputs.append(_input(parameter, component.get("props") or {}))
    return inputs


def _input(parameter: Mapping[str, Any], props: Mapping[str, Any]) -> Input:
    return Input(
        str(parameter.get("parameter_name") or parameter.get("label")),
        required=not parameter.get("parameter_has_default"),
        default=parameter.get("parameter_default"),
        kind=str(parameter.get("component")).lower(),
        props={key: props[key] for key in ("minimum", "maximum", "choices") if key in props},
    )


def refused(exc: Rejected) -> str:
    """Return the server's own words of a refusal; Gradio 4 puts quotes around them."""
    return exc.reply.strip("'\"") or str(exc)
