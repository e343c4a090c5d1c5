"""Why the server did not answer, by what the library raised."""

from __future__ import annotations

import errno
import socket
import ssl
import urllib.request
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import httpx

from aitk_nb.errors import ConnectionFailed

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

_TLS = (
    # What OpenSSL says, and what it means to somebody who wants to train.
    ("Hostname mismatch", "its certificate is for another name: the address may be misspelled"),
    ("IP address mismatch", "its certificate is for another name: use the name instead"),
    ("has expired", "its certificate has expired, or the clock of this machine is wrong"),
    ("not yet valid", "its certificate is not valid yet, or the clock of this machine is wrong"),
    (
        "CERTIFICATE_VERIFY_FAILED",
        "its certificate is not trusted here; give a private CA by verify='ca.pem', "
        "or on the command line by --ca",
    ),
    ("WRONG_VERSION_NUMBER", "it does not speak TLS: the address may have to begin with http://"),
    ("RECORD_LAYER", "it does not speak TLS: the address may have to begin with http://"),
)


def failure(url: str, exc: Exception, clean: Callable[[str], str]) -> ConnectionFailed:
    """Return the error for a request that got no answer; `clean` takes secrets out of its words."""
    cause, words = _cause(url, exc)
    return ConnectionFailed(url, words or clean(str(exc)) or type(exc).__name__, cause=cause)


def frameless(exc: BaseException) -> BaseException:
    """Return `exc` without its frames: their locals hold headers, and what a server echoes."""
    for link in _chain(exc):
        link.__traceback__ = None
    return exc


def proxy_for(url: str) -> str:
    """Return the proxy that the environment names for this address, without its password."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host in LOOPBACK or urllib.request.proxy_bypass(host):
        return ""
    named = urllib.request.getproxies()
    proxy = urlsplit(named.get(parts.scheme) or named.get("all") or "")
    return f"{proxy.hostname}:{proxy.port}" if proxy.port else proxy.hostname or ""


def _cause(url: str, exc: Exception) -> tuple[str, str]:
    """Return a word for the cause, and a phrase where the library's own would not do."""
    if isinstance(exc, httpx.ConnectTimeout):
        return "timeout", "the machine did not answer in time: it is off, or behind a firewall"
    if isinstance(exc, httpx.TimeoutException):
        return "timeout", "it did not answer in time"
    if (proxy := proxy_for(url)) and isinstance(exc, httpx.ConnectError | httpx.ProxyError):
        return "proxy", f"the proxy {proxy} of HTTP_PROXY or HTTPS_PROXY did not let it through"
    chain = list(_chain(exc))
    if any(isinstance(link, socket.gaierror | UnicodeError) for link in chain):
        return "dns", f"the name {urlsplit(url).hostname} is not known"
    text = " ".join(str(link) for link in chain)
    if any(isinstance(link, ssl.SSLError) for link in chain) or "SSL" in text:
        return "tls", next((words for mark, words in _TLS if mark in text), "")
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
