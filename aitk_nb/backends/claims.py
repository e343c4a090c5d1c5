"""What people are told about AI Toolkit servers, as questions to the one at hand."""

from __future__ import annotations

from collections.abc import Sequence

from aitk_nb.backends.probes import Answer, Credential, Probe
from aitk_nb.models import Claim, Flavour

__all__ = ["claim_probes", "claims_from"]

# What is asked, and what holds instead on the web UI and on Gradio.
_TOLD: tuple[tuple[str, Probe, str, str], ...] = (
    (
        "AI Toolkit's server is a Gradio app",
        Probe("GET", "/config", Credential.NONE),
        "the web UI's REST API below /api",
        "",
    ),
    (
        "/docs has the OpenAPI documentation",
        Probe("GET", "/docs", Credential.NONE),
        "aitk_nb.discover(url): the web UI documents itself nowhere",
        "GET /gradio_api/info (Gradio 5, 6) or /info (Gradio 4)",
    ),
    (
        "GET /api/ lists the endpoints",
        Probe("GET", "/api/"),
        "aitk_nb.discover(url)",
        "GET /gradio_api/info (Gradio 5, 6) or /info (Gradio 4)",
    ),
    (
        # An empty body starts nothing on any server; the answer still tells whether it exists.
        "POST /api/predict with fn_index runs functions",
        Probe("PUT", "/api/predict"),
        "GET /api/jobs/{id}/start, then GET /api/queue/{gpu_ids}/start",
        "POST /gradio_api/call/NAME by the function's name, or gradio_client",
    ),
    (
        "GET /api/queue/status tells the queue",
        Probe("PUT", "/api/queue/status"),
        "GET /api/queue and GET /api/jobs",
        "GET /gradio_api/queue/status, which tells waiting jobs only",
    ),
    (
        "A password protects only the page, not the API",
        Probe("GET", "/api/jobs?job_type=train", Credential.NONE),
        "it protects the API; files and images stay readable without it",
        "it protects the API as well",
    ),
)


def claim_probes() -> list[Probe]:
    """Return the question behind each claim; none of them changes anything."""
    return [probe for _, probe, _, _ in _TOLD]


def claims_from(flavour: Flavour, answers: Sequence[Answer]) -> tuple[Claim, ...]:
    """Return each claim with what the server answered and what holds instead."""
    pairs = zip(_TOLD, answers, strict=True)
    return tuple(
        Claim(
            claim=claim,
            verdict=(verdict := _verdict(claim, flavour, answer)),
            evidence=f"{answer.probe.method} {answer.probe.path}: {answer.evidence}",
            instead="" if verdict == "true" else webui if flavour is Flavour.WEBUI else gradio,
        )
        for (claim, _, webui, gradio), answer in pairs
    )


def _verdict(claim: str, flavour: Flavour, answer: Answer) -> str:
    if not answer.status:
        return "unknown"
    if claim.startswith("AI Toolkit's"):
        return "true" if flavour is Flavour.GRADIO else "false"
    if claim.startswith("A password"):
        # 200 means that nothing protects the API: there is no password at all.
        return "no password" if answer.status == 200 else "false"
    if answer.status == 401:
        return "locked"
    exists = answer.status == 405 if answer.probe.method == "PUT" else answer.status == 200
    return "true" if exists else "false"
