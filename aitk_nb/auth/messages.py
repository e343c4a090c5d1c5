"""What a state means in one sentence, and the one thing to do next, for each server and cause."""

from __future__ import annotations

from collections.abc import Mapping

from aitk_nb.models.access import AuthState
from aitk_nb.models.server import Flavour

__all__ = ["gateway", "of_server", "unreachable"]

_WEBUI: Mapping[AuthState, tuple[str, str]] = {
    AuthState.OPEN: (
        "The server lets everybody in: it asks for no token.",
        "Set AI_TOOLKIT_AUTH on the server and restart it.",
    ),
    AuthState.ACCEPTED: (
        "The server wants a token, refuses a wrong one and accepts yours.",
        "Go on.",
    ),
    AuthState.REJECTED: (
        "The server wants a token and does not accept yours.",
        "Set AITK_TOKEN to exactly what the server has in AI_TOOLKIT_AUTH; it has no user names.",
    ),
    AuthState.MISSING: (
        "The server wants a token, and none was given.",
        "Set AITK_TOKEN to what the server has in AI_TOOLKIT_AUTH.",
    ),
}

_GRADIO: Mapping[AuthState, tuple[str, str]] = {
    AuthState.OPEN: (
        "The Gradio app lets everybody in: it asks for no login.",
        "Start it with launch(auth=('user', 'password')).",
    ),
    AuthState.ACCEPTED: (
        "The Gradio app wants a login, refuses a wrong one and accepts yours.",
        "Go on.",
    ),
    AuthState.REJECTED: (
        "The Gradio app wants a login and does not accept yours.",
        "Set AITK_USERNAME and AITK_PASSWORD (or AITK_PASSWORD, with --user on the command line) "
        "to what the app has in launch(auth=…).",
    ),
    AuthState.MISSING: (
        "The Gradio app wants a user name and a password, and none were given.",
        "Set AITK_USERNAME and AITK_PASSWORD (or AITK_PASSWORD, with --user on the command line), "
        "or give credentials=('user', 'password').",
    ),
}

_CAUSES: Mapping[str, tuple[str, str]] = {
    "dns": (
        "The name of the address is not known: no name server has it.",
        "Check the spelling; the name of a pod is gone when the pod is.",
    ),
    "refused": (
        "The machine is there and nothing listens on this port.",
        "Start the server, and check the port: 8675 for the web UI, 7860 for Gradio.",
    ),
    "no route": (
        "No way leads from this machine to that address.",
        "Check the network, the VPN or the SSH tunnel.",
    ),
    "timeout": (
        "Nothing answered in time.",
        "Check that the machine is on and no firewall drops the port, then try again.",
    ),
    "tls": (
        "No secure line can be made to this address.",
        "Check http:// or https:// in the address, the certificate, and both clocks.",
    ),
    "proxy": (
        "The proxy on the way to the server does not let the question through.",
        "Check HTTP_PROXY and HTTPS_PROXY, or put the server's name into NO_PROXY.",
    ),
    "broken": (
        "Something took the connection and broke it off without an answer.",
        "Check http:// or https:// in the address and the port, then try again.",
    ),
}


def of_server(flavour: Flavour, state: AuthState, *, other_kind: bool = False) -> tuple[str, str]:
    """Return diagnosis and next step for a training server.

    `other_kind` tells that credentials of a kind were given that the server does not know.
    """
    diagnosis, step = (_WEBUI if flavour is Flavour.WEBUI else _GRADIO)[state]
    if other_kind and state is AuthState.MISSING:
        if flavour is Flavour.GRADIO:
            diagnosis = "The Gradio app wants a user name and a password, and a token was given."
        else:
            diagnosis = "The server wants a token alone, and a user name and password were given."
    return diagnosis, step


def unreachable(cause: str) -> tuple[str, str]:
    """Return diagnosis and next step where nobody answers."""
    return _CAUSES.get(cause, _CAUSES["broken"])


def gateway(state: AuthState) -> tuple[str, str]:
    """Return diagnosis and next step where a gateway in front wants credentials."""
    if state is AuthState.REJECTED:
        return (
            "A gateway in front of the server does not accept the credentials for it.",
            "Check the extra headers, or the user name and password that the gateway knows.",
        )
    return (
        "A gateway in front of the server wants credentials of its own.",
        "Give them by headers={'Authorization': …}, or as user name and password.",
    )
