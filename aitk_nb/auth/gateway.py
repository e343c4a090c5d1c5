"""What the way to a server allows: proxies and gateways in between, and their limits."""

from __future__ import annotations

from collections.abc import Mapping

from aitk_nb.auth.security import is_loopback
from aitk_nb.backends.detection.unknown_server import is_pod_proxy
from aitk_nb.backends.wire.network_errors import proxy_for

__all__ = ["limits"]

# What the makers document or users measured; the client works within all of them.
_CUTS = {
    "cloudflare": "cuts a request after 100 s and at about 100 MB",
    "nginx": "cuts a request at 1 MB and after 60 s of silence, unless it is told otherwise",
}


def limits(url: str, gateway: str) -> tuple[str, str]:
    """Return what stands on the way to `url` and cuts requests, and what to do about it, if ought.

    `gateway` is the name that the answers tell: `cloudflare`, `nginx` …
    """
    if proxy := proxy_for(url):
        return (
            f"Requests go through the proxy {proxy} of this network, which may have limits.",
            "Put the server's name into NO_PROXY if uploads break.",
        )
    if is_pod_proxy(url):
        return (
            "RunPod's proxy cuts a request after 100 s and at about 100 MB; files are sent and "
            "fetched in smaller requests.",
            "",
        )
    if gateway in _CUTS:
        remedy = "Raise client_max_body_size in nginx if uploads end in 413."
        return (
            f"{gateway.capitalize()} stands in front; it {_CUTS[gateway]}.",
            remedy if gateway == "nginx" else "",
        )
    if gateway:
        return f"{gateway.capitalize()} stands in front; its limits are not known.", ""
    if is_loopback(url):
        return "Nothing stands between: the address is on this machine, or the end of a tunnel.", ""
    return "No gateway or proxy shows itself on the way.", ""


def _gateway(headers: Mapping[str, str]) -> str:
    """Return what stands between us and the server, as far as an answer tells."""
    if "cf-ray" in headers:
        return "cloudflare"
    passed = headers.get("via") or headers.get("server") or ""
    known = ("cloudflare", "nginx", "caddy", "traefik", "envoy", "haproxy", "apache")
    return next((name for name in known if name in passed.lower()), "")
