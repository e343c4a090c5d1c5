"""What answers where no training server does: named in a few words, from its first page."""

import html
import re
from collections.abc import Callable
from enum import Enum
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx

from aitk_nb.backends.wire.response_errors import (
    NOT_READY,
    PASSWORD_FIELD,
    gateway_refusal,
    leads_to_login,
)

MAX_TITLE = 60

_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_LISTING = re.compile(r"(?:Directory listing for|Index of) /", re.IGNORECASE)
_JUPYTER = re.compile(r"jupyter-config-data|Jupyter (?:Server|Notebook)|JupyterLab|JupyterHub")


class Kind(Enum):
    """What it may be that answers."""

    BOOTING = "booting"
    """A gateway, for a server that is not up yet."""
    GATEWAY = "gateway"
    """What refuses everybody, or wants to know who asks."""
    LOGIN = "login page"
    JUPYTER = "Jupyter"
    FILES = "file server"
    GRADIO = "Gradio app"
    """One without the functions for training."""
    PAGE = "web page"
    OTHER = "other"


_BOOTING = "A pod that is still booting answers like this: wait a minute and try again,"
_WEBUI_PORT = "AI Toolkit's web UI listens on port 8675, and its Gradio app on 7860."


class Foreign(NamedTuple):
    """Something that is not a training server."""

    kind: Kind
    seen: str
    """What it answered, as the end of a sentence: `with a web page titled 'x'`."""

    @property
    def hides(self) -> bool:
        """True if what is behind it can't be seen without a login."""
        return self.kind in {Kind.GATEWAY, Kind.LOGIN}

    @property
    def advice(self) -> str:
        """What to do about it."""
        what = (
            "address and its port"
            if self.kind in {Kind.PAGE, Kind.OTHER}
            else "port in the address"
        )
        if self.kind is Kind.BOOTING:
            return f"{_BOOTING} then check the {what}. {_WEBUI_PORT}"
        return f"Check the {what}. {_WEBUI_PORT}"


def is_pod_proxy(url: str) -> bool:
    """Return whether the address is RunPod's proxy in front of a pod."""
    return f".{urlsplit(url).hostname}".endswith(".proxy.runpod.net")


def recognize(url: str, page: httpx.Response, clean: Callable[[str], str]) -> Foreign:
    """Return what answers at `url`, whose first page is `page`; `clean` takes out our secrets."""
    status = page.status_code
    end = f" (status {status})" if status != 200 else ""
    if status in NOT_READY:
        return Foreign(Kind.BOOTING, f"with status {status}")
    if status in {401, 407}:
        return Foreign(Kind.GATEWAY, f"with {_challenge(page, clean)}{end}")
    if target := page.headers.get("location"):
        return _redirect(clean(target.partition("?")[0]), page)
    mark = _marked(page)
    if mark is not None:
        return Foreign(mark, f"with {_ARTICLES[mark]}{end}")
    if gateway_refusal(page):
        return Foreign(Kind.GATEWAY, f"with a refusal{_titled(page, clean)}{end}")
    kind = page.headers.get("content-type", "nothing").partition(";")[0].strip()
    if is_pod_proxy(url) and (status == 404 or kind == "text/html"):
        return Foreign(Kind.BOOTING, f"with {clean(kind)}{end}")
    if kind == "text/html":
        return Foreign(Kind.PAGE, f"with text/html{_titled(page, clean)}{end}")
    return Foreign(Kind.OTHER, f"with {clean(kind)}{end}")


_ARTICLES = {
    Kind.JUPYTER: "Jupyter's page",
    Kind.FILES: "a file server's list of files",
    Kind.LOGIN: "a login page",
    Kind.GRADIO: "a Gradio app",
}


def _marked(page: httpx.Response) -> Kind | None:
    text = page.text
    server = page.headers.get("server", "")
    if _JUPYTER.search(text) or ("Tornado" in server and '"reason": null' in text):
        return Kind.JUPYTER
    if _LISTING.search(text):
        return Kind.FILES
    if "window.gradio_config" in text:
        return Kind.GRADIO
    return Kind.LOGIN if PASSWORD_FIELD.search(text) else None


def _redirect(target: str, page: httpx.Response) -> Foreign:
    if "Tornado" in page.headers.get("server", ""):
        return Foreign(Kind.JUPYTER, f"with Jupyter's redirect to {target}")
    kind = Kind.LOGIN if leads_to_login(page) else Kind.PAGE
    return Foreign(kind, f"with a redirect to {target}")


def _challenge(page: httpx.Response, clean: Callable[[str], str]) -> str:
    scheme = clean(page.headers.get("www-authenticate", "")).split(" ")[0]
    if scheme.lower() in {"basic", "digest", "bearer", "negotiate"}:
        return f"a request for {scheme.capitalize()} credentials"
    return "a request for credentials unlike any of an AI Toolkit server"


def _titled(page: httpx.Response, clean: Callable[[str], str]) -> str:
    match = _TITLE.search(page.text)
    words = " ".join(html.unescape(clean(match[1])).split()) if match else ""
    printable = "".join(char for char in words if char.isprintable())[:MAX_TITLE]
    return f" titled '{printable}'" if printable else ""
