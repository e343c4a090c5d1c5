"""What a state, a cause or a gateway means in one sentence, and what to do next."""

from collections.abc import Mapping

from aitk_nb._yaml import facts
from aitk_nb.auth.security import is_loopback
from aitk_nb.backends.detection.unknown_server import is_pod_proxy
from aitk_nb.backends.wire.proxies import proxy_for
from aitk_nb.models import AuthState, Flavour

LOGIN = "Set AITK_USERNAME and AITK_PASSWORD (or AITK_PASSWORD, with --user on the command line)"


def _said(about: str, key: str, **words: str) -> tuple[str, str]:
    diagnosis, step = facts("aitk_nb.auth", "messages")[about][key]
    for word, text in {"login": LOGIN, **words}.items():
        diagnosis, step = (said.replace(f"{{{word}}}", text) for said in (diagnosis, step))
    return diagnosis, step


def of_server(flavour: Flavour, state: AuthState, *, other_kind: bool = False) -> tuple[str, str]:
    """Return diagnosis and next step for a training server.

    `other_kind` is true if credentials of a kind that the server doesn't know were given.
    """
    is_other = other_kind and state is AuthState.MISSING
    return _said(flavour.value, "other-kind" if is_other else state.value)


def unreachable(cause: str) -> tuple[str, str]:
    """Return diagnosis and next step if nothing answers."""
    known = facts("aitk_nb.auth", "messages")["causes"]
    return _said("causes", cause if cause in known else "broken")


def in_front(state: AuthState, seen: str) -> tuple[str, str]:
    """Return diagnosis and next step if what answers, as `seen`, hides what is behind it."""
    return _said("in_front", state.value, seen=seen)


def limits(url: str, gateway: str) -> tuple[str, str]:
    """Return what limits requests on the way to `url`, and what to do about it, if anything.

    `gateway` is the name found in the responses: `cloudflare`, `nginx` …
    """
    if proxy := proxy_for(url):
        return _said("limits", "proxy", name=proxy)
    if is_pod_proxy(url):
        return _said("limits", "pod")
    if gateway:
        known = gateway if gateway in {"cloudflare", "nginx"} else "gateway"
        return _said("limits", known, name=gateway.capitalize())
    return _said("limits", "loopback" if is_loopback(url) else "none")


def gateway_name(headers: Mapping[str, str]) -> str:
    """Return the gateway or proxy that a response's headers show, or an empty text."""
    if "cf-ray" in headers:
        return "cloudflare"
    passed = headers.get("via") or headers.get("server") or ""
    known = ("cloudflare", "nginx", "caddy", "traefik", "envoy", "haproxy", "apache")
    return next((name for name in known if name in passed.lower()), "")
