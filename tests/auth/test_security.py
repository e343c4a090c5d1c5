"""What is found to be dangerous or mistaken, each with evidence and a remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aitk_nb import check_auth, demo
from aitk_nb.auth.security import Facts, find, is_loopback, is_public
from aitk_nb.backends.detection.access_probes import Knocks
from aitk_nb.connection.connection import Connection, Secret
from aitk_nb.models.access import Access, AuthState, Credential, Outcome
from aitk_nb.models.checklist import Check, Status
from aitk_nb.models.server import Flavour
from tests.backends.canned import Asked, Reply, canned
from tests.conftest import TOKEN

HF = "hf_planted0123456789"


def found(facts: Facts) -> dict[str, Check]:
    """Return the findings by code, each of them complete."""
    findings = find(facts)
    assert all(f.message and f.evidence and f.remedy for f in findings)
    assert len({f.name for f in findings}) == len(findings)
    order = [f.status is Status.WARNING for f in findings]
    assert sorted(order) == order
    return {finding.name: finding for finding in findings}


def facts(url: str = "https://pod.example", **given: Any) -> Facts:
    """Return the facts about a server that accepts our token."""
    connection = Connection(url, token=Secret("a-token"), verify=given.pop("verify", True))
    return Facts(connection, given.pop("state", AuthState.ACCEPTED), **given)


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    """A closed server, by TLS, with a clock that is right."""
    assert {} == found(facts(flavour=Flavour.GRADIO, version="5.50.0", skew=3.0))


def test_an_open_server_is_worse_where_everybody_reaches_it() -> None:
    """On this machine it is a warning."""
    for url, status in (
        ("http://127.0.0.1:8675", Status.WARNING),
        ("https://x.example", Status.PROBLEM),
    ):
        assert status is found(facts(url, state=AuthState.OPEN))["no-password"].status


@pytest.mark.parametrize(
    ("url", "is_found"),
    [
        ("http://pod.example:8675", True),
        ("http://8.8.8.8:8675", True),
        ("https://pod.example", False),
        ("http://127.0.0.1:8675", False),
        ("http://localhost:8675", False),
        ("http://192.168.1.4:8675", False),
        ("http://10.0.0.4", False),
        ("http://[::1]:8675", False),
        ("http://[fe80::1]:8675", False),
        ("http://[2606:4700::1111]:8675", True),
        ("http://gpu-box:8675", False),
        ("http://gpu.local:8675", False),
    ],
)
def test_plain_http_to_a_public_address(url: str, is_found: bool) -> None:
    """A name of the own network, a private address and this machine are none."""
    assert is_found is ("plain-http" in found(facts(url)))
    assert not (is_public(url) and is_loopback(url))


@pytest.mark.parametrize("host", ["abc.gradio.live", "x.trycloudflare.com", "x.ngrok-free.app"])
def test_share_links(host: str) -> None:
    """They lead to the machine from everywhere."""
    assert Status.WARNING is found(facts(f"https://{host}"))["share-link"].status
    opened = found(facts(f"https://{host}", state=AuthState.OPEN))
    assert Status.PROBLEM is opened["share-link"].status
    assert "share-link" not in found(facts(f"https://{host}.example"))


@pytest.mark.parametrize(
    ("version", "old"), [("4.44.1", True), ("3.50.2", True), ("5.50.0", False)]
)
def test_old_gradio_checks_files_weakly(version: str, old: bool) -> None:
    """From version 5 on it refuses."""
    assert old is ("old-gradio" in found(facts(flavour=Flavour.GRADIO, version=version)))


@pytest.mark.parametrize(
    ("skew", "words"),
    [(400, "7 minutes ahead"), (-9000, "2 hours behind"), (90_000_000, "1042 days ahead")],
)
def test_clocks_that_differ(skew: float, words: str) -> None:
    """By how much, and which of them is ahead."""
    assert words in found(facts(skew=skew))["clock"].evidence
    assert "clock" not in found(facts(skew=30.0))


def test_certificates() -> None:
    """A line that cannot be made, and one that is not checked."""
    assert "unverified-tls" in found(facts(verify=False))
    broken = found(facts(state=AuthState.UNREACHABLE, cause="tls", detail="it has expired"))
    assert "it has expired" == broken["tls"].evidence


def test_any_password_counts_only_where_somebody_is_refused() -> None:
    """A server without a token accepts any as well, and that is another finding."""
    nobody = Access("login", Credential.NONE, "GET /api/auth", 200, Outcome.ALLOWED, "200")
    open_server = found(facts(state=AuthState.OPEN, knocks=Knocks((nobody,), wrong_accepted=True)))
    any_token = found(facts(state=AuthState.OPEN, knocks=Knocks((), wrong_accepted=True)))

    assert {"no-password"} == set(open_server)
    assert {"any-password"} == set(any_token)


# -- on servers -----------------------------------------------------------------------------------


def codes(url: str, credentials: Any = None) -> set[str]:
    """Return what is found about the server at `url`."""
    return {finding.name for finding in check_auth(url, credentials=credentials).findings}


def test_files_that_need_no_token(token_server: demo.DemoServer) -> None:
    """The evidence is the answer itself, and a gateway that asks for a login ends it."""
    findings = {f.name: f for f in check_auth(token_server.url, token=TOKEN).findings}

    # On this machine it is worth knowing; an address that others reach makes it a problem.
    assert Status.WARNING is findings["public-files"].status
    assert "GET /api/img/x without credentials: 403" in findings["public-files"].evidence
    assert "where a token is checked, the answer is 401" in findings["public-files"].evidence

    def guarded(asked: Asked) -> Reply:
        if asked.headers.get("authorization") == "Bearer right":
            return (
                Reply(200, {"isAuthenticated": True}) if asked.path == "/api/auth" else Reply(405)
            )
        return Reply(401, {"error": "Unauthorized"})

    with canned(guarded) as site:
        assert "public-files" not in codes(site.url, "right")


def test_the_default_password(tmp_path: Path) -> None:
    """It is found whether it was given, another one, or none; and no other one is tried."""
    with demo.start(tmp_path, token="password") as server:
        for given in ("password", "other", None):
            assert "default-password" in codes(server.url, given)

    def closed(asked: Asked) -> Reply:
        return Reply(401, {"error": "Unauthorized"})

    with canned(closed) as site:
        assert "default-password" not in codes(site.url, "mine")
    said = {asked.headers.get("authorization", "none") for asked in site.asked}
    assert {"none", "Bearer mine", "Bearer password"} == {
        word for word in said if "wrong-" not in word
    }


def test_a_hugging_face_token_in_the_settings(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """That it can be read is said; its value is nowhere, not in a log either."""
    caplog.set_level("DEBUG")
    with demo.start(tmp_path, token=TOKEN) as server:
        settings = {"TRAINING_FOLDER": "", "DATASETS_FOLDER": "", "MODELS_PATH": ""}
        write(server.url, {**settings, "HF_TOKEN": HF})
        report = check_auth(server.url, token=TOKEN)
        shown = repr(report) + report.to_html() + str(report.as_dict())
        without = codes(server.url)

    assert "hf-token" in {finding.name for finding in report.findings}
    assert "hf-token" not in without
    assert HF not in shown + caplog.text


def write(url: str, settings: dict[str, str]) -> None:
    """Write the settings of a server."""
    import httpx

    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert httpx.post(f"{url}/api/settings", json=settings, headers=headers).is_success


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (f"{TOKEN} ", "token-form"),
        (f"\t{TOKEN}\r\n", "token-form"),
        (f'"{TOKEN}"', "token-form"),
        (f" '{TOKEN}'\n", "token-form"),
        (f"“{TOKEN}”", "token-form"),
        (f"Bearer {TOKEN}", "token-form"),
        (f"AI_TOOLKIT_AUTH={TOKEN}", "token-form"),
        (f'AITK_TOKEN="{TOKEN}"', "token-form"),
        ((TOKEN, ""), "token-as-login"),
        ((TOKEN, "x"), "token-as-login"),
        (("user", TOKEN), "token-as-login"),
    ],
)
def test_a_token_that_is_nearly_right(token_server: demo.DemoServer, given: Any, code: str) -> None:
    """The remedy is the next step, since without the accident the server accepts it."""
    report = check_auth(token_server.url, credentials=given)
    finding = next(finding for finding in report.findings if finding.name == code)

    assert not report.ok
    assert finding.remedy == report.next_step
    assert TOKEN not in repr(report) + str(report.as_dict())


@pytest.mark.parametrize("token", ["two words", "tökén", "nothing"])
def test_a_token_that_is_wrong_altogether(token_server: demo.DemoServer, token: str) -> None:
    """No remedy is promised; what no request can carry is said."""
    report = check_auth(token_server.url, token=token)

    assert AuthState.REJECTED is report.state
    assert ("token-form" in {f.name for f in report.findings}) is (token != "nothing")
    assert "without it the server accepts" not in str(report.as_dict())
