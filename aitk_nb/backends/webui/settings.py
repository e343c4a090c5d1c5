"""The web UI's own settings: read whole, written whole, the token never in the clear here.

Why it is so: docs/behavior.md#authentication
"""

from collections.abc import Mapping

from aitk_nb.backends.wire.http import Http
from aitk_nb.connection.connection import Secret
from aitk_nb.errors import UnexpectedReply

TOKEN = "HF_TOKEN"  # noqa: S105  (the name of a setting)
NAMES = (TOKEN, "TRAINING_FOLDER", "DATASETS_FOLDER", "MODELS_PATH")


class WebUISettings:
    """Reads and writes `/api/settings`, which holds the Hugging Face token in clear."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def read(self) -> dict[str, str | Secret]:
        """Return the four settings, the token as a `Secret`; empty text stands for a default."""
        what = "return its settings"
        body = self._http.get_json("/api/settings", what=what)
        if not isinstance(body, dict):
            raise UnexpectedReply(what, "no settings")
        token = Secret(str(body.pop(TOKEN, None) or ""))
        return {TOKEN: token} | {name: str(body.get(name) or "") for name in NAMES if name != TOKEN}

    def write(self, values: Mapping[str, str | Secret]) -> None:
        """Write all four settings: of fewer the server writes those and calls it an error."""
        what = "change its settings"
        body = {name: values[name] for name in NAMES}
        answer = self._http.post_secrets("/api/settings", body, what=what)
        if not isinstance(answer, dict) or not answer.get("success"):
            raise UnexpectedReply(what, "it doesn't confirm the change")
