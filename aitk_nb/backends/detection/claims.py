"""Common claims about AI Toolkit servers, and the request that checks each of them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from aitk_nb._yaml import facts
from aitk_nb.backends.detection.probes import Answer, Probe
from aitk_nb.models import Check, Checklist, Credential, Flavour, Status

WHY_PUT = "PUT shows whether it exists and does nothing"

_FACTS: Mapping[str, Any] = facts("aitk_nb.backends.detection", "claims")
_STATUS = {"true": Status.OK, "false": Status.PROBLEM, "unknown": Status.UNKNOWN}


class Question(NamedTuple):
    """How to check a claim on one flavour, and what to use there if it is false."""

    claim: str
    probe: Probe
    judge: str
    instead: str


def claim_probes(flavour: Flavour, prefix: str = "") -> list[Probe]:
    """Return the request that checks each claim; none of them changes anything."""
    return [question.probe for question in _questions(flavour, prefix)]


def claims_from(flavour: Flavour, answers: Sequence[Answer], prefix: str = "") -> Checklist[Check]:
    """Return each claim, whether it is true on this server, and what to use if it is not."""
    return Checklist(map(_checked, _questions(flavour, prefix), answers))


def _questions(flavour: Flavour, prefix: str) -> Iterator[Question]:
    for told in _FACTS["claims"]:
        said = told[flavour.value]
        method, path, *without = said["request"].replace("{prefix}", prefix).split()
        probe = Probe(method, path, Credential.NONE if without else Credential.GIVEN)
        instead = said["instead"].replace("{prefix}", prefix)
        yield Question(told["claim"], probe, said["judge"], instead)


def _checked(question: Question, answer: Answer) -> Check:
    rules = _FACTS["judges"][question.judge]
    verdict = next((rule["verdict"] for rule in rules if _is_true(rule, answer)), "unknown")
    evidence = f"{answer.probe.method} {answer.probe.path}: {answer.evidence}"
    if answer.probe.method == "PUT":
        evidence += f" ({WHY_PUT})"
    remedy = "" if verdict == "true" else question.instead
    status = _STATUS.get(verdict, Status.WARNING)
    return Check(question.claim, status, verdict, remedy, evidence)


def _is_true(rule: Mapping[str, Any], answer: Answer) -> bool:
    """Return whether all that a rule says holds for an answer."""
    body = answer.json if isinstance(answer.json, dict) else {}
    protocol = body.get("protocol")
    begins = isinstance(protocol, str) and protocol.startswith(rule.get("protocol", ""))
    return (
        answer.status in rule.get("status", [answer.status])
        and re.search(rule.get("head", ""), answer.head) is not None
        and answer.is_json >= rule.get("json", False)
        and body.keys() >= {*rule.get("has", ())}
        and (begins or "protocol" not in rule)
    )
