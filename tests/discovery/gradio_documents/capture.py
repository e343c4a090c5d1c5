"""Make the documents beside this file anew: `python -m tests.discovery.gradio_documents.capture`.

They are what the embedded Gradio app answers under Gradio 4, 5 and 6 (`.ci/gradio-env 5` and
`.ci/gradio-env 4` make the older ones), less what nobody reads for its functions: looks, layout
and the code that Gradio itself proposes.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import httpx

from tests import gradio_servers

HERE = Path(__file__).parent
LOOKS = {
    "config": {"css", "js", "head", "theme", "theme_hash", "stylesheets", "layout", "body_css",
               "current_page", "analytics_enabled", "app_id", "root", "i18n_translations"},
    "info": set(),
}  # fmt: skip


def main() -> None:
    """Write six documents."""
    for major in ("4", "5", "6"):
        with gradio_servers.server(major) as server:
            config = httpx.get(f"{server.url}/config").json()
            info = httpx.get(f"{server.url}{config.get('api_prefix', '')}/info").json()
        for endpoint in info["named_endpoints"].values():
            endpoint.pop("code_snippets", None)
        _keep(f"gradio-{major}-config", _without(config, LOOKS["config"]))
        _keep(f"gradio-{major}-info", info)


def _without(document: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in names}


def _keep(name: str, document: object) -> None:
    text = json.dumps(document, separators=(",", ":"), sort_keys=True)
    (HERE / f"{name}.json.gz").write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    main()
