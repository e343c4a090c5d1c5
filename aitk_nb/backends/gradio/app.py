"""`GradioApp`: what a Gradio app says of itself, and its short calls."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aitk_nb._yaml import facts
from aitk_nb.backends.gradio.endpoints import prefix_of, read_app
from aitk_nb.backends.gradio.login import GradioHttp
from aitk_nb.backends.wire.http import part
from aitk_nb.errors import AitkError, ConnectionFailed, NotSupported, Unauthorized, UnexpectedReply
from aitk_nb.models.endpoint import Endpoint

CREATE: Final = "create dataset"
TRAIN: Final = "start training"
CAPTION: Final = "write captions"

_NAMES: Final = {CREATE: "/create_dataset", TRAIN: "/start_training", CAPTION: "/run_captioning"}
"""The names that AI Toolkit's own app has; a fork's go into `operations`."""

TEXTS: Final[Mapping[str, Mapping[str, str]]] = facts("aitk_nb.backends.gradio", "texts")
"""What the backend says, by occasion."""

_BRIEF: Final = 2.0
"""Seconds for a question that is asked to find out whether the server lives."""


def raw_data(function: Endpoint, values: Mapping[str, Any]) -> list[Any]:
    """Return the raw list that the server takes for a call, states as null.

    Gradio 4 and 5 refuse a list without its states, which Gradio 6 takes either way.

    Raises:
        UnexpectedReply: the function requires something that `values` does not have.
    """
    known = {**{one.name: one.default for one in function.sent if not one.required}, **values}
    if odd := next((one.name for one in function.sent if one.name not in known), None):
        raise UnexpectedReply(f"describe {function.name}", f"a parameter {odd!r} that is unknown")
    return [None if one.hidden else known[one.name] for one in function.parameters]


class GradioApp:
    """A Gradio app as it describes itself, asked when it is needed and once."""

    def __init__(self, http: GradioHttp, api_names: Mapping[str, str] | None = None) -> None:
        """Use `api_names`, by operation, where the app is a fork with other names."""
        self.http = http
        self._names = {**_NAMES, **(api_names or {})}
        self._lock = threading.RLock()
        self._config: Mapping[str, Any] | None = None
        self._functions: Mapping[str, Endpoint] | None = None

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
    def functions(self) -> Mapping[str, Endpoint]:
        """What the app can be called for, by API name."""
        with self._lock:
            if self._functions is None:
                what = "list its functions"
                info = self.http.get_json(f"{self.prefix}/info", what=what)
                named = part(info, "named_endpoints", dict, what)
                found = read_app(self.config, info).endpoints
                self._functions = {one.name: one for one in found if one.name in named}
            return self._functions

    def function(self, operation: str) -> Endpoint:
        """Return the function that does `operation`.

        Raises:
            NotSupported: the app has no such function.
        """
        name = self._names[operation]
        if name not in self.functions:
            raise NotSupported(
                operation,
                "Gradio",
                f"This app has no function {name}; it has {', '.join(self.functions) or 'none'}. "
                "If one of them does this, pass "
                f"gradio=GradioOptions(operations={{{operation!r}: '/its_name'}}).",
            )
        return self.functions[name]

    def run(self, operation: str, data: Sequence[Any], session: str, *, what: str) -> Any:
        """Call a short function in a session, past the queue, and return its outputs.

        It is sent again when the connection breaks: use it for what may happen twice.
        """
        name = self.function(operation).name
        body = {"data": list(data), "session_hash": session}
        answer = self.http.post_json(f"{self.prefix}/run{name}", body, what=what, repeat=True)
        return part(answer, "data", list, what)

    # -- signs of life ------------------------------------------------------------------------

    def app_id(self) -> str:
        """Return the number that the server has drawn at its start: another one is a restart."""
        body = self._brief(f"{self.prefix}/app_id", "show its app_id")
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
        return part(self._brief(f"{self.prefix}/queue/status", what), "queue_size", int, what)

    def _brief(self, path: str, what: str) -> Any:
        return self.http.get_json(path, what=what, timeout=_BRIEF)


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
