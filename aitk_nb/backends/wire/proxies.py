"""The proxy that the environment names for an address, if any, and requests through it."""

import os
import threading
import urllib.request
from typing import Any
from urllib.parse import urlsplit

import httpx

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def proxy_for(url: str) -> str:
    """Return the proxy that the environment names for this address, without its password."""
    proxy = named_proxy(url)[1]
    return proxy.partition("://")[2].rpartition("@")[2].partition("/")[0]


def named_proxy(url: str) -> tuple[str, str]:
    """Return the variable that names the proxy for an address, and the proxy; empty if none."""
    parts = urlsplit(url)
    named = urllib.request.getproxies()
    proxy = named.get(parts.scheme) or named.get("all")
    # The usual variables count, but never for a server on this machine.
    if not proxy or parts.hostname in LOOPBACK:
        return "", ""
    if urllib.request.proxy_bypass(parts.netloc.rpartition("@")[2]):
        return "", ""
    variables = (name for name, value in os.environ.items() if value == proxy)
    variable = next((name for name in variables if name.lower().endswith("_proxy")), "the system")
    return variable, proxy if "://" in proxy else f"http://{proxy}"


class Routes(httpx.BaseTransport):
    """Sends each request directly, or through the proxy that is named for its address.

    The library itself asks for all proxies at once, and raises if one cannot be used that is not
    needed.
    """

    def __init__(self, **options: Any) -> None:
        self._options = options
        self._made: dict[str, httpx.HTTPTransport] = {}
        self._lock = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; `UnsupportedProtocol` says which variable names an unusable proxy."""
        variable, proxy = named_proxy(str(request.url))
        with self._lock:
            if proxy not in self._made:
                self._made[proxy] = self._through(variable, proxy)
        try:
            return self._made[proxy].handle_request(request)
        except Exception as exc:
            # The library lets through what its helper raises for an answer that is not SOCKS.
            if not type(exc).__module__.startswith("socksio"):
                raise
            raise httpx.ProxyError(str(exc)) from exc

    def _through(self, variable: str, proxy: str) -> httpx.HTTPTransport:
        try:
            return httpx.HTTPTransport(**self._options, proxy=proxy or None)
        except ImportError:
            why = "names a SOCKS proxy, which requires: pip install socksio"
        except (ValueError, httpx.InvalidURL):
            why = "names no proxy that can be used: write http://, https:// or socks5://HOST:PORT"
        # Without a cause: its words may hold the proxy's password.
        raise httpx.UnsupportedProtocol(f"{variable} {why}")

    def close(self) -> None:
        """Close all connections."""
        for transport in self._made.values():
            transport.close()
