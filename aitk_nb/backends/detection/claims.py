"""What people are told about AI Toolkit servers, as questions to the one at hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aitk_nb.backends.detection.probes import Answer, Credential, Probe
from aitk_nb.models.endpoint import Claim
from aitk_nb.models.server import Flavour

__all__ = ["claim_probes", "claims_from"]

Judge = Callable[[Answer], str]
"""From an answer to a verdict: `true`, `false`, or what it is instead."""


WHY_PUT = "PUT tells existence without doing anything"


@dataclass(frozen=True, slots=True)
class Check:
    """How one flavour is asked about a claim, and what to use there where it is false."""

    probe: Probe
    judge: Judge
    instead: str


def claim_probes(flavour: Flavour, prefix: str = "") -> list[Probe]:
    """Return the question behind each claim; none of them changes anything."""
    return [check.probe for _, check in _told(flavour, prefix)]


def claims_from(flavour: Flavour, answers: Sequence[Answer], prefix: str = "") -> tuple[Claim, ...]:
    """Return each claim with what the server answered and what holds instead."""
    pairs = zip(_told(flavour, prefix), answers, strict=True)
    return tuple(_claim(claim, check, answer) for (claim, check), answer in pairs)


def _claim(claim: str, check: Check, answer: Answer) -> Claim:
    verdict = check.judge(answer) if answer.status else "unknown"
    evidence = f"{answer.probe.method} {answer.probe.path}: {answer.evidence}"
    if answer.probe.method == "PUT":
        evidence += f" ({WHY_PUT})"
    return Claim(claim, verdict, evidence, "" if verdict == "true" else check.instead)


# -- how an answer is judged ----------------------------------------------------------------------


def _exists(answer: Answer) -> str:
    """By PUT, which nothing has: what is there refuses the method, what is not there is 404."""
    if answer.status == 401:
        return "locked"
    return "true" if answer.status == 405 else "false"


def _documents(answer: Answer) -> str:
    """By GET of a page: a Swagger page, and not the app's own page under every address."""
    shown = answer.status == 200 and "swagger" in answer.head.lower()
    return "locked" if answer.status == 401 else "true" if shown else "false"


def _lists(answer: Answer) -> str:
    if answer.status == 401:
        return "locked"
    return "true" if answer.status == 200 and answer.is_json else "false"


def _is_gradio(answer: Answer) -> str:
    return "true" if answer.status == 401 or "version" in _mapping(answer.json) else "false"


def _serves_gradio_client(answer: Answer) -> str:
    if answer.status == 401:
        return "with a login"
    protocol = _mapping(answer.json).get("protocol")
    return "true" if isinstance(protocol, str) and protocol.startswith("sse") else "false"


def _password(answer: Answer) -> str:
    # 200 without anything to prove who we are: nothing protects the API, as there is no password.
    if answer.status == 200:
        return "no password"
    return "false" if answer.status in {401, 403} else "unknown"


def _hands_out(answer: Answer) -> str:
    # 403 "Access denied" is the endpoint's own word for a path that it does not serve.
    return (
        "true"
        if answer.status in {200, 403, 405}
        else "locked"
        if answer.status == 401
        else "false"
    )


def _hands_out_some(answer: Answer) -> str:
    words = {200: "true", 401: "locked", 403: "some files"}
    return words.get(answer.status, "false")


def _mapping(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


# -- what is told ---------------------------------------------------------------------------------


def _told(flavour: Flavour, prefix: str) -> tuple[tuple[str, Check], ...]:
    checks = _webui() if flavour is Flavour.WEBUI else _gradio(prefix)
    return tuple(zip(_CLAIMS, checks, strict=True))


_CLAIMS = (
    "AI Toolkit's server is a Gradio app",
    "/docs has the OpenAPI documentation",
    "GET /api/ lists the endpoints",
    "POST /api/predict with fn_index runs functions",
    "GET /api/queue/status tells the queue",
    "A password protects only the page, not the API",
    "gradio_client can be used",
    "A LoRA can be downloaded through the API",
)


def _webui() -> tuple[Check, ...]:
    plain = Credential.NONE
    return (
        Check(Probe("GET", "/config", plain), _is_gradio, "the web UI's REST API below /api"),
        Check(
            Probe("GET", "/docs", plain),
            _documents,
            "report.openapi(): the web UI documents itself nowhere",
        ),
        Check(Probe("GET", "/api/"), _lists, "report.endpoints_table, or report.openapi()"),
        Check(
            # By PUT: nothing is called, and the answer still tells whether it exists.
            Probe("PUT", "/api/predict"),
            _exists,
            "POST /api/jobs, GET /api/jobs/{id}/start, GET /api/queue/{gpu_ids}/start",
        ),
        Check(Probe("PUT", "/api/queue/status"), _exists, "GET /api/queue and GET /api/jobs"),
        Check(
            Probe("GET", "/api/jobs?job_type=train", plain),
            _password,
            "it protects the API; files and images stay readable without it",
        ),
        Check(
            Probe("GET", "/config", plain),
            _serves_gradio_client,
            "aitk_nb.connect(url), or plain HTTP: report.snippet('start training', 'python')",
        ),
        Check(
            Probe("GET", "/api/files/x", plain),
            _hands_out,
            "GET /api/files/{path}, the server's path percent-encoded whole",
        ),
    )


def _gradio(prefix: str) -> tuple[Check, ...]:
    plain = Credential.NONE
    return (
        Check(Probe("GET", "/config", plain), _is_gradio, ""),
        Check(Probe("GET", "/docs", plain), _documents, f"GET {prefix}/info lists the functions"),
        Check(Probe("GET", "/api/"), _lists, f"GET {prefix}/info"),
        Check(
            Probe("PUT", "/api/predict"),
            _exists,
            f"POST {prefix}/call/NAME by the function's name, or gradio_client",
        ),
        Check(
            Probe("PUT", "/api/queue/status"),
            _exists,
            f"GET {prefix}/queue/status, which counts waiting calls only",
        ),
        Check(Probe("GET", "/config", plain), _password, "it protects the API as well"),
        Check(
            Probe("GET", "/config"),
            _serves_gradio_client,
            "gradio_client.Client(url, auth=(user, password))",
        ),
        Check(
            Probe("GET", f"{prefix}/file=output"),
            _hands_out_some,
            "only what lies below the folder of uploads, or below a folder that the server names "
            "in GRADIO_ALLOWED_PATHS, can be fetched: train there",
        ),
    )
