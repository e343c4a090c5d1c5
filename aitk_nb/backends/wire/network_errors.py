"""Why the server did not answer, by what the library raised."""

import errno
import socket
import ssl
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import httpx

from aitk_nb._yaml import facts
from aitk_nb.backends.wire.proxies import named_proxy, proxy_for
from aitk_nb.errors import ConnectionFailed


def failure(url: str, exc: Exception, clean: Callable[[str], str]) -> ConnectionFailed:
    """Return the error for a request that got no answer; `clean` takes secrets out of its words."""
    cause, words = _cause(url, exc)
    return ConnectionFailed(url, words or clean(str(exc)) or type(exc).__name__, cause=cause)


def frameless(exc: BaseException) -> BaseException:
    """Return `exc` without its frames: their locals hold headers, and what a server echoes."""
    for link in _chain(exc):
        link.__traceback__ = None
    return exc


def _cause(url: str, exc: Exception) -> tuple[str, str]:
    """Return a word for the cause, and a phrase where the library's own would not do."""
    if isinstance(exc, httpx.ConnectTimeout):
        return "timeout", "the machine did not answer in time: it is off, or behind a firewall"
    if isinstance(exc, httpx.TimeoutException):
        return "timeout", "it did not answer in time"
    if isinstance(exc, httpx.UnsupportedProtocol):
        return "proxy", str(exc)
    if (proxy := proxy_for(url)) and isinstance(exc, httpx.ConnectError | httpx.ProxyError):
        return "proxy", f"the proxy {proxy} of {named_proxy(url)[0]} did not let it through"
    chain = list(_chain(exc))
    if any(isinstance(link, socket.gaierror | UnicodeError) for link in chain):
        return "dns", f"the name {urlsplit(url).hostname} is not known"
    text = " ".join(str(link) for link in chain)
    if any(isinstance(link, ssl.SSLError) for link in chain) or "SSL" in text:
        known = facts("aitk_nb.backends.wire", "tls_failures")
        return "tls", next((words for mark, words in known.items() if mark in text), "")
    if any(isinstance(link, ConnectionRefusedError) for link in chain):
        return "refused", "the port is closed: connection refused"
    if any(getattr(link, "errno", 0) in _NO_WAY for link in chain):
        return "no route", "no route to host"
    return "broken", ""


_NO_WAY = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN}


def _chain(exc: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = exc
    while link is not None:
        yield link
        link = link.__cause__ or link.__context__
