"""Common claims about AI Toolkit servers, and the request that checks each of them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from aitk_nb._yaml import facts
from aitk_nb.backends.detection.probes import Answer, Probe
from aitk_nb.models import Check, Checklist, Credential, Flavour, Status

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


_JUDGES: Mapping[str, Judge] = {
    "is_gradio": _is_gradio,
    "documents": _documents,
    "lists": _lists,
    "exists": _exists,
    "password": _password,
    "serves_gradio_client": _serves_gradio_client,
    "hands_out": _hands_out,
    "hands_out_some": _hands_out_some,
}


def _told(flavour: Flavour, prefix: str) -> Iterator[tuple[str, Question]]:
    """Yield each claim, and how it is checked on a flavour."""
    for told in facts("aitk_nb.backends.detection", "claims"):
        said = told[flavour.value]
        method, path, *without = said["request"].replace("{prefix}", prefix).split()
        probe = Probe(method, path, Credential.NONE if without else Credential.GIVEN)
        instead = said["instead"].replace("{prefix}", prefix)
        yield told["claim"], Question(probe, _JUDGES[said["judge"]], instead)
