"""`DiscoveryReport`: a survey of a server, with the files and programs made from it."""

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aitk_nb._display import html
from aitk_nb._files import write
from aitk_nb.backends.webui.catalog import document, operation_objects
from aitk_nb.discovery import pages, snippets
from aitk_nb.discovery.operations_file import dumped
from aitk_nb.discovery.survey import Survey
from aitk_nb.errors import NotSupported
from aitk_nb.models.server import Flavour


@dataclass(frozen=True, slots=True, repr=False)
class DiscoveryReport(Survey):
    """What was found out about a server, with the files and programs made from it.

    Example:
        >>> report = aitk_nb.discover(client.url)
        >>> report
        <webui server with 46 of 46 endpoints>
        >>> report.snippet("job status", "python").splitlines()[0]
        '# Show a job: its status, step and last losses.'
    """

    def to_json(self, path: str | Path | None = None) -> str:
        """Return everything as JSON text, and write it to `path` if one is given."""
        return _kept(json.dumps(self.as_dict(), indent=2, ensure_ascii=False) + "\n", path)

    def to_markdown(self, path: str | Path | None = None) -> str:
        """Return the report as Markdown, and write it to `path` if one is given."""
        return _kept(pages.markdown(self), path)

    def to_html(self, path: str | Path | None = None) -> str:
        """Return the report as an HTML page, and write it to `path` if one is given."""
        return _kept(str(pages.page(self)), path)

    def openapi(self) -> dict[str, Any]:
        """Return an OpenAPI 3.1 document of the web UI's endpoints that this server has.

        The note of an endpoint becomes its description, and the date of the newest endpoint the
        version.

        Raises:
            NotSupported: It is a Gradio app, which describes its functions itself.
        """
        if self.flavour is not Flavour.WEBUI:
            raise NotSupported(
                "be described by this OpenAPI document",
                "Gradio" if self.flavour else "unknown",
                "A Gradio app serves its own: GET /gradio_api/openapi.json (Gradio 5 and 6).",
            )
        there = {each.name: each for each in self.endpoints if each.state != "absent"}
        made: dict[str, Any] = copy.deepcopy(dict(document()))
        paths: dict[str, Any] = {}
        for path, method, found in operation_objects():
            if endpoint := there.get(found["operationId"]):
                operation = made["paths"][path][method]
                if endpoint.note:
                    operation["description"] = endpoint.note
                paths.setdefault(path, {})[method] = operation
        made["info"]["version"] = self.newest or "unknown"
        return {**made, "servers": [{"url": self.url}], "paths": paths}

    def save(self, path: str | Path) -> None:
        """Write the operations to `path` as YAML, to edit and pass to `GradioOptions`."""
        _kept(self.operations_yaml(), path)

    def operations_yaml(self) -> str:
        """Return what `save` writes."""
        return dumped(self.operations, self.url, self.flavour)

    def snippet(
        self, name: str, language: str = "curl", values: Mapping[str, object] | None = None
    ) -> str:
        """Return a program that calls an endpoint or performs an operation, ready to run.

        It reads secrets from AITK_TOKEN, or AITK_USERNAME and AITK_PASSWORD, when it runs.

        Args:
            name: An endpoint or an operation of this report.
            language: `curl`, `python`, `gradio_client`, `javascript` or `typescript`.
            values: Values to fill in, by parameter name.

        Returns:
            The text of the program.

        Raises:
            BadInput: There is no such endpoint, operation, language or value.
        """
        return snippets.snippet(self, name, language, values or {})

    def typescript_client(self) -> str:
        """Return a TypeScript file with a class `AIToolkitClient` for the four operations.

        Raises:
            BadInput: No training server answered.
        """
        return snippets.typescript_client(self)

    def _repr_mimebundle_(self, **_options: object) -> dict[str, Any]:
        states = {endpoint.name: endpoint.state for endpoint in self.endpoints}
        flavour = self.flavour.value if self.flavour else None
        page = html.definition(self.summary, caption="What the server offers")
        result = {"flavour": flavour, "newest": self.newest, "endpoints": states}
        return html.bundle(repr(self), page, discovery=result)


def _kept(text: str, path: str | Path | None) -> str:
    if path is not None:
        write(path, text)
    return text
