"""`Captions`: what the web UI tells of the captions beside images, many at once or one by one.

Why it is so: docs/behavior.md#uploads
"""

from collections.abc import Iterator, Mapping, Sequence

from aitk_nb.backends.webui import names
from aitk_nb.backends.webui.catalog import ServerEndpoints
from aitk_nb.backends.wire.http import Http
from aitk_nb.backends.wire.parallel import each_or_raise
from aitk_nb.errors import NotSupported, Rejected

BATCH = 200
"""Captions asked for in one request."""


class Captions:
    """Reads the captions of one web UI."""

    def __init__(self, http: Http, endpoints: ServerEndpoints) -> None:
        self._http = http
        self._endpoints = endpoints
        self._one_by_one = False

    def of(self, images: Mapping[str, str], ending: str = "") -> dict[str, str]:
        """Return the captions that are there, by image; `images` has the image of each path."""
        captions: dict[str, str] = {}
        try:
            for start in range(0, 0 if self._one_by_one else len(images), BATCH):
                batch = list(images)[start : start + BATCH]
                captions |= {images[path]: text for path, text in self._batch(batch, ending)}
        except NotSupported:
            self._one_by_one = True
        if self._one_by_one:
            texts = each_or_raise(lambda path: self._single(path, ending), list(images))
            captions = dict(zip(images.values(), texts, strict=True))
        return {image: text for image, text in captions.items() if text}

    def _batch(self, images: Sequence[str], ending: str) -> Iterator[tuple[str, str]]:
        path, body = (
            "/api/caption/getBatch",
            {"imgPaths": images, **({"ext": ending} if ending else {})},
        )
        with self._endpoints.required(path, "show many captions at once"):
            answer = self._http.post_json(path, body, what="show captions", repeat=True)
        found = answer.get("captions", {}) if isinstance(answer, dict) else {}
        yield from ((path, str(text)) for path, text in found.items() if path in images)

    def _single(self, path: str, ending: str) -> str:
        what, body = "show a caption", {"imgPath": path}
        if not ending:
            return self._http.read("POST", "/api/caption/get", what=what, json=body).text
        # A server this old knows one ending only; a file of any other can be read.
        url = names.file_url(f"{path.rpartition('.')[0]}.{ending}")
        try:
            return self._http.read("GET", url, what=what).text
        except Rejected as exc:
            if exc.status == 404:
                return ""
            raise
