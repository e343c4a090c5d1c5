"""What a state, a cause or a gateway means in one sentence, and what to do next."""

from collections.abc import Mapping

from aitk_nb._yaml import facts
from aitk_nb.auth.security import is_loopback
from aitk_nb.backends.detection.unknown_server import is_pod_proxy
from aitk_nb.backends.wire.proxies import proxy_for
from aitk_nb.models import AuthState, Flavour

LOGIN = "Set AITK_USERNAME and AITK_PASSWORD (or AITK_PASSWORD, with --user on the command line)"


def _said(about: str, key: str) -> tuple[str, str]:
    diagnosis, step = facts("aitk_nb.auth", "messages")[about][key]
    return diagnosis, step.replace("{login}", LOGIN)


def of_server(flavour: Flavour, state: AuthState, *, other_kind: bool = False) -> tuple[str, str]:
    """Return diagnosis and next step for a training server.

    `other_kind` is true if credentials of a kind that the server doesn't know were given.
    """
    diagnosis, step = _said(flavour.value, state.value)
    if other_kind and state is AuthState.MISSING:
        if flavour is Flavour.GRADIO:
            diagnosis = "The Gradio app requires a user name and a password; a token was given."
        else:
            diagnosis = "A token alone is required; a user name and a password were given."
    return diagnosis, step


def unreachable(cause: str) -> tuple[str, str]:
    """Return diagnosis and next step if nothing answers."""
    known = facts("aitk_nb.auth", "messages")["causes"]
    return _said("causes", cause if cause in known else "broken")


def in_front(state: AuthState, seen: str) -> tuple[str, str]:
    """Return diagnosis and next step if what answers, as `seen`, hides what is behind it."""
    rejected = state is AuthState.REJECTED
    despite = " and does not accept the credentials" if rejected else ""
    step = (
        "Check the extra headers, or the gateway's user name and password"
        if rejected
        else "Pass the gateway's credentials as headers={…}, or as a user name and a password"
    )
    return (
        f"It answers {seen}{despite}; what is behind it can't be seen without a login.",
        f"{step}; without a gateway, check the port: 8675 for the web UI, 7860 for Gradio.",
    )


# What the vendors document or users measured; the client works within all of them.
_CUTS = {
    "cloudflare": "cuts requests after 100 s and at about 100 MB",
    "nginx": "by default cuts requests at 1 MB and after 60 s without data",
}


def limits(url: str, gateway: str) -> tuple[str, str]:
    """Return what limits requests on the way to `url`, and what to do about it, if anything.

    `gateway` is the name found in the responses: `cloudflare`, `nginx` …
    """
    if proxy := proxy_for(url):
        return (
            f"The proxy {proxy} is set for this address, and may have limits.",
            "Add the server's name to NO_PROXY if uploads fail.",
        )
    if is_pod_proxy(url):
        return (
            "RunPod's proxy cuts requests after 100 s and at about 100 MB; files are transferred "
            "in smaller requests.",
            "",
        )
    if gateway:
        cuts = f"which {_CUTS[gateway]}" if gateway in _CUTS else "whose limits are unknown"
        remedy = "Raise client_max_body_size in nginx if uploads end with a 413."
        text = f"The server is behind {gateway.capitalize()}, {cuts}."
        return text, remedy if gateway == "nginx" else ""
    if is_loopback(url):
        return "Direct connection: the address is local or the end of a tunnel.", ""
    return "No gateway or proxy detected.", ""


def gateway_name(headers: Mapping[str, str]) -> str:
    """Return the gateway or proxy that a response's headers show, or an empty text."""
    if "cf-ray" in headers:
        return "cloudflare"
    passed = headers.get("via") or headers.get("server") or ""
    known = ("cloudflare", "nginx", "caddy", "traefik", "envoy", "haproxy", "apache")
    return next((name for name in known if name in passed.lower()), "")
