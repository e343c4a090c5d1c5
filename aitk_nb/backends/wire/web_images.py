"""`fetch_all`: images by their addresses, each with a cap on its bytes and on its time."""

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

import httpx

from aitk_nb._files import replacing
from aitk_nb.backends.wire.parallel import each_or_raise
from aitk_nb.backends.wire.proxies import Routes
from aitk_nb.errors import BadInput
from aitk_nb.models.names import safe_file_name

MAX_BYTES = 100_000_000
"""Of one image; what is longer is given up."""
SECONDS = 60.0
"""That one image may take, redirects and all."""
_QUIET = 15.0
"""Seconds without a byte after which it is given up."""
_REDIRECTS = 5
_WORKERS = 8
_CHUNK = 2**16

_log = logging.getLogger(__name__)

_SUFFIXES = {
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/webp": ".webp",
    "image/gif": ".gif",
    "image/bmp": ".bmp",
    "image/tiff": ".tif",
    "video/mp4": ".mp4",
    "audio/mpeg": ".mp3",
    "audio/wav": ".wav",
}
_KNOWN = frozenset(_SUFFIXES.values()) | {".jpeg", ".tiff", ".jfif", ".txt", ".flac", ".mov"}


class _GivenUp(Exception):
    """An address whose image cannot be had; says why, in words that follow its name."""


def fetch_all(
    addresses: Sequence[str], folder: Path, *, max_bytes: int = MAX_BYTES, seconds: float = SECONDS
) -> Mapping[str, Path | str]:
    """Fetch each address into `folder`; return its file, or why there is none, by address.

    Only http and https are followed, also by redirects; nothing is sent but the request: no
    cookies, no password from an address.
    """
    unique = list(dict.fromkeys(addresses))
    agent = {"User-Agent": "aitk-nb"}
    with httpx.Client(timeout=_QUIET, headers=agent, transport=Routes()) as client:

        def one(numbered: tuple[int, str]) -> Path | str:
            number, address = numbered
            try:
                return _fetch(client, address, folder, number, max_bytes, seconds)
            except (_GivenUp, BadInput) as exc:
                return str(exc)

        found = each_or_raise(one, list(enumerate(unique)), workers=_WORKERS)
    return dict(zip(unique, found, strict=True))


def _fetch(
    client: httpx.Client, address: str, folder: Path, number: int, max_bytes: int, seconds: float
) -> Path:
    until = time.monotonic() + seconds
    url = _checked(address)
    for _ in range(_REDIRECTS + 1):
        try:
            with client.stream("GET", url) as response:
                if response.is_redirect:
                    # Each hop is looked at before it is followed.
                    url = _checked(str(url.join(response.headers.get("location", ""))))
                    continue
                if response.status_code != 200:
                    raise _GivenUp(f"cannot be fetched: its server answers {response.status_code}")
                return _stored(response, folder, number, max_bytes, until)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as exc:
            proxy = isinstance(exc, httpx.UnsupportedProtocol)
            raise _GivenUp(f"cannot be fetched: {exc if proxy else type(exc).__name__}") from exc
    raise _GivenUp(f"cannot be fetched: more than {_REDIRECTS} redirects")


def _checked(address: str) -> httpx.URL:
    try:
        url = httpx.URL(address.strip())
    except (httpx.InvalidURL, ValueError) as exc:
        raise _GivenUp("is not an address") from exc
    if url.scheme not in ("http", "https") or not url.host:
        raise _GivenUp("is not fetched: only http and https addresses are")
    return url.copy_with(username="", password="")


def _stored(
    response: httpx.Response, folder: Path, number: int, max_bytes: int, until: float
) -> Path:
    announced = response.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > max_bytes:
        raise _GivenUp(f"is longer than {max_bytes / 1e6:g} MB, and is not fetched")
    target = folder / _name(response, number)
    with replacing(target) as draft, draft.open("wb") as file:
        size = 0
        for chunk in response.iter_bytes(_CHUNK):
            size += len(chunk)
            if size > max_bytes:
                raise _GivenUp(f"is longer than {max_bytes / 1e6:g} MB, and is not fetched")
            if time.monotonic() > until:
                raise _GivenUp("takes too long to fetch")
            file.write(chunk)
    return target


def _name(response: httpx.Response, number: int) -> str:
    """Return a safe name: a number that keeps the order, then the address's last part."""
    last = unquote(response.url.path.rstrip("/").rpartition("/")[2])
    given = Path(safe_file_name(last or "image"))
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    suffix = given.suffix if given.suffix.lower() in _KNOWN else _SUFFIXES.get(kind, given.suffix)
    if suffix.lower() not in _KNOWN:
        raise _GivenUp(f"is not an image, but {kind or 'a response without a type'}")
    stem = given.stem if given.suffix.lower() in _KNOWN else given.name
    return f"{number:04}_{stem.lstrip('_.')[:100] or 'image'}{suffix}"
