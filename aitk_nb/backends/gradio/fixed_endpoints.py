"""The addresses that every Gradio app of version 4.44, 5 or 6 has beside its functions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from aitk_nb.models.endpoint import Endpoint, Parameter

__all__ = ["fixed"]


def fixed(prefix: str, version: str) -> tuple[Endpoint, ...]:
    """Return the addresses that every Gradio app of that version has, functions apart."""
    known = f"catalogue of Gradio {version.split('.')[0] or '4 to 6'}, probe"

    def entry(name: str, method: str, path: str, does: str, returns: str, **more: Any) -> Endpoint:
        return Endpoint(name, method, path, does, returns=returns, known_by=known, **more)

    session = Parameter(
        "session_hash", where="query", required=True, example="any-text-of-your-own",
        about="ties calls to one another: the same text is the same session",
    )  # fmt: skip
    files = Parameter("files", "list of file", "form", required=True)
    join = (
        Parameter("data", "list of any", "body", required=True, about="values in order"),
        Parameter("fn_index", "integer", "body", required=True, about="number of the function"),
        replace(session, where="body"),
    )
    path = Parameter("path", where="path", required=True, about="path on the server", example="x")
    return (
        entry("config", "GET", "/config", "what the app is made of",
              "JSON with version, api_prefix, components and dependencies"),
        entry("info", "GET", f"{prefix}/info", "functions with their parameters",
              "JSON with named_endpoints and unnamed_endpoints"),
        entry("login", "POST", "/login", "give user name and password",
              '{"success": true} and cookies', acts=True,
              parameters=(Parameter("username", where="form", required=True),
                          Parameter("password", where="form", required=True))),
        entry("upload", "POST", f"{prefix}/upload", "send files for a function to use",
              "a list of paths on the server", acts=True, parameters=(files,)),
        entry("queue_join", "POST", f"{prefix}/queue/join", "call a function in a session",
              '{"event_id"}', acts=True, parameters=join),
        entry("queue_data", "GET", f"{prefix}/queue/data", "results of a session's calls",
              "a stream of server-sent events", parameters=(session,)),
        entry("queue_status", "GET", f"{prefix}/queue/status",
              "how many calls wait; the running one is not counted",
              '{"msg": "estimation", "queue_size", "rank_eta"}'),
        entry("file", "GET", f"{prefix}/file={{path}}",
              "a file that the app may show: uploads, results, and folders it was allowed",
              "the file", parameters=(path,)),
    )  # fmt: skip
