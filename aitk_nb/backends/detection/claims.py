"""Common claims about AI Toolkit servers, and the request that checks each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from aitk_nb.backends.detection.probes import Answer, Probe
from aitk_nb.models.access import Credential
from aitk_nb.models.checklist import Check, Checklist, Status
from aitk_nb.models.server import Flavour

Judge = Callable[[Answer], str]
"""From a response to a verdict: `true`, `false`, or what holds instead."""

WHY_PUT = "PUT shows whether it exists and does nothing"


@dataclass(frozen=True, slots=True)
class Question:
    """How to check a claim on one flavour, and what to use there if it is false."""

    probe: Probe
    judge: Judge
    instead: str


def claim_probes(flavour: Flavour, prefix: str = "") -> list[Probe]:
    """Return the request that checks each claim; none of them changes anything."""
    return [question.probe for _, question in _told(flavour, prefix)]


def claims_from(flavour: Flavour, answers: Sequence[Answer], prefix: str = "") -> Checklist[Check]:
    """Return each claim, whether it is true on this server, and what to use if it is not."""
    pairs = zip(_told(flavour, prefix), answers, strict=True)
    return Checklist(_checked(claim, question, answer) for (claim, question), answer in pairs)


_STATUS = {"true": Status.OK, "false": Status.PROBLEM, "unknown": Status.UNKNOWN}


def _checked(claim: str, question: Question, answer: Answer) -> Check:
    verdict = (question.judge(answer) if answer.status else "") or "unknown"
    evidence = f"{answer.probe.method} {answer.probe.path}: {answer.evidence}"
    if answer.probe.method == "PUT":
        evidence += f" ({WHY_PUT})"
    remedy = "" if verdict == "true" else question.instead
    return Check(claim, _STATUS.get(verdict, Status.WARNING), verdict, remedy, evidence)


# -- how a response is judged---------------------------------------------------------------------


# By PUT, which no endpoint has: an existing one rejects the method, any other address is 404.
# What answers in another way proves neither.
def _by_status(words: Mapping[int, str]) -> Judge:
    return lambda answer: words.get(answer.status, "unknown")


_exists = _by_status({401: "locked", 404: "false", 405: "true"})


def _password(answer: Answer) -> str:
    """Without credentials: the API's own document means that nothing protects it."""
    if answer.status in {401, 403}:
        return "false"
    return "no password" if {"jobs", "components"} & _mapping(answer.json).keys() else "unknown"


def _hands_out(answer: Answer) -> str:
    """By its own words for a path that it does not serve, which a gateway's 403 does not have."""
    own = answer.head == "Access denied" or "detail" in _mapping(answer.json)
    return "locked" if answer.status == 401 else "true" if answer.status == 403 and own else ""


def _hands_out_some(answer: Answer) -> str:
    found = _hands_out(answer)
    return "some files" if found == "true" else "false" if answer.status == 404 else found


def _documents(answer: Answer) -> str:
    """By GET of a page: a Swagger page, and not the app's own page under every address."""
    shown = answer.status == 200 and "swagger" in answer.head.lower()
    return "true" if shown else _not_found(answer)


def _lists(answer: Answer) -> str:
    """By GET: JSON that names a function or an endpoint, and not one answer to everything."""
    named = any(word in answer.head for word in ("_endpoints", "/api/", "api_name"))
    return "true" if answer.status == 200 and answer.is_json and named else _not_found(answer)


def _not_found(answer: Answer) -> str:
    # The web UI moves /api/ to /api, under which it has nothing.
    return {401: "locked", 404: "false", 200: "false", 308: "false"}.get(answer.status, "unknown")


def _is_gradio(answer: Answer) -> str:
    shown = {"version", "components"} <= _mapping(answer.json).keys() or _asks_login(answer)
    return "true" if shown else "false" if answer.status in {200, 404} else "unknown"


def _serves_gradio_client(answer: Answer) -> str:
    protocol = _mapping(answer.json).get("protocol")
    if isinstance(protocol, str):
        return "true" if protocol.startswith("sse") else "false"
    return "with a login" if _asks_login(answer) else _is_gradio(answer)


def _asks_login(answer: Answer) -> bool:
    """Return whether it is a Gradio app's own 401."""
    return answer.status == 401 and "detail" in _mapping(answer.json)


def _mapping(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


# -- the claims ------------------------------------------------------------------------------------


def _told(flavour: Flavour, prefix: str) -> tuple[tuple[str, Question], ...]:
    questions = _webui() if flavour is Flavour.WEBUI else _gradio(prefix)
    return tuple(zip(_CLAIMS, questions, strict=True))


_CLAIMS = (
    "The server is a Gradio app",
    "/docs has the OpenAPI documentation",
    "GET /api/ lists the endpoints",
    "POST /api/predict with fn_index runs functions",
    "GET /api/queue/status returns the queue",
    "A password protects only the page, not the API",
    "gradio_client can be used",
    "A LoRA can be downloaded through the API",
)

_CONFIG = Probe("GET", "/config", Credential.NONE)
_DOCS = Probe("GET", "/docs", Credential.NONE)
_LIST = Probe("GET", "/api/")
# By PUT: nothing is called, and the response still shows whether it exists.
_PREDICT = Probe("PUT", "/api/predict")
_QUEUE = Probe("PUT", "/api/queue/status")


def _webui() -> tuple[Question, ...]:
    jobs = Probe("GET", "/api/jobs?job_type=train", Credential.NONE)
    file = Probe("GET", "/api/files/x", Credential.NONE)
    client = "Use aitk_nb.connect(url), or HTTP: report.snippet('start training', 'python')."
    start = "Use POST /api/jobs, GET /api/jobs/{id}/start, GET /api/queue/{gpu_ids}/start."
    files = "Use GET /api/files/{path} with the whole server path percent-encoded."
    public = "A password protects the API; files and images stay readable without it."
    return (
        Question(_CONFIG, _is_gradio, "Use the web UI's REST API below /api."),
        Question(_DOCS, _documents, "Use report.openapi(): the web UI doesn't document its API."),
        Question(_LIST, _lists, "Use report.endpoints_table or report.openapi()."),
        Question(_PREDICT, _exists, start),
        Question(_QUEUE, _exists, "Use GET /api/queue and GET /api/jobs."),
        Question(jobs, _password, public),
        Question(_CONFIG, _serves_gradio_client, client),
        Question(file, _hands_out, files),
    )


def _gradio(prefix: str) -> tuple[Question, ...]:
    call = f"Use POST {prefix}/call/NAME with the function's name."
    client = (
        "Use gradio_client.Client(url, auth=(user, password), token=False); without token=False it "
        "sends a saved Hugging Face token to the app."
    )
    output = Probe("GET", f"{prefix}/file=output")
    folder = (
        "Train in the upload folder, or in a folder that GRADIO_ALLOWED_PATHS names on the "
        "server: only files there can be downloaded."
    )
    queue = f"Use GET {prefix}/queue/status, which counts waiting calls only."
    return (
        Question(_CONFIG, _is_gradio, ""),
        Question(_DOCS, _documents, f"Use GET {prefix}/info, which lists the functions."),
        Question(_LIST, _lists, f"Use GET {prefix}/info."),
        Question(_PREDICT, _exists, call),
        Question(_QUEUE, _exists, queue),
        Question(_CONFIG, _password, "A password protects the API as well."),
        Question(Probe("GET", "/config"), _serves_gradio_client, client),
        Question(output, _hands_out_some, folder),
    )
