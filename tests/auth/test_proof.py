"""What is said of a server follows from its answers, and of strangers nothing is claimed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from aitk_nb import check_auth, discover
from aitk_nb.models.access import AuthState, Outcome
from tests.auth import foreign_sites as sites
from tests.auth.test_commands import doctor
from tests.backends.canned import Asked, Reply, canned
from tests.cli.command import run

FREE = {"AITK_TOKEN": ""}
CONFIG = {"version": "5.50.0", "api_prefix": "/gradio_api", "protocol": "sse_v3", "components": []}


def gradio(*names: str, **parameters: dict[str, Any]) -> Callable[[Asked], Reply]:
    """Return a Gradio app with these functions; `parameters` are labels by function."""

    def answer(asked: Asked) -> Reply:
        labels = [label for name in names for label in parameters.get(name, ())]
        components = [
            {"id": at, "type": "number", "props": {"label": label}}
            for at, label in enumerate(labels)
        ]
        functions = [
            {"id": at, "api_name": name, "inputs": [*range(len(parameters.get(name, ())))],
             "outputs": []}
            for at, name in enumerate(names)
        ]  # fmt: skip
        if asked.path == "/config":
            return Reply(200, {**CONFIG, "components": components, "dependencies": functions})
        if asked.path == "/gradio_api/info":
            return Reply(200, {"named_endpoints": {}, "unnamed_endpoints": {}})
        return Reply(404, {"detail": "Not Found"})

    return answer


STRANGERS = {
    "pictures": sites.other_gradio,
    "chat": gradio("chat", "clear_history"),
    "upscaler": gradio("upscale", upscale={"factor": 1}),
    "nothing": gradio(),
}


@pytest.mark.parametrize("name", STRANGERS)
def test_a_strangers_gradio_app_is_not_called_ai_toolkits(name: str) -> None:
    """Neither by `auth`, nor by `doctor`, nor by `discover`."""
    says = "a Gradio app that is not AI Toolkit's as far as can be told"
    with canned(STRANGERS[name]) as site:
        report = check_auth(site.url)
        found = discover(site.url)
        lines = run("doctor", "--url", site.url, code=3).out
        words = run("discover", "--url", site.url).out

    assert (AuthState.NOT_AITK, says) == (report.state, report.product)
    assert says in report.diagnosis
    assert says == found.product
    assert says in lines
    assert f"found: {says}" in words
    assert "AI Toolkit's Gradio app" not in lines + words
    assert "not on this server" in words


def test_another_trainers_gradio_app_is_no_ai_toolkit() -> None:
    """It trains, by its words; whose it is, and what it can do, is not claimed."""
    labels = {"Learning rate": 1, "Max train steps": 1, "Network dim": 1, "Train batch size": 1}
    with canned(gradio("start_train_model", start_train_model=labels)) as site:
        report = check_auth(site.url)
        steps = {step.name: step for step in doctor(site.url).checks}

    assert "is not AI Toolkit's as far as can be told, though /start_train" in report.product
    assert "unknown" == steps["flavour"].status.value
    assert "not AI Toolkit's" in steps["flavour"].message
    assert "unknown" == steps["abilities"].status.value


@pytest.mark.parametrize(
    "detail", ["Not authenticated", {"error": "Not authenticated", "auth_message": None}]
)
def test_what_a_login_hides_is_not_called_absent(detail: Any) -> None:
    """Exit 4, and nothing is said to be missing on the server."""
    hidden = Reply(401, {"detail": detail})

    def answer(asked: Asked) -> Reply:
        return Reply(404, {"detail": "Not Found"}) if asked.path == "/api/auth" else hidden

    with canned(answer) as site:
        found = run("discover", "--url", site.url, code=4)
        page = discover(site.url).to_markdown()
        lines = run("doctor", "--url", site.url, code=4).out
        json = run("discover", "--json", "--url", site.url, code=4).json

    assert "start training: cannot be seen without a login" in found.out
    assert "not on this server" not in found.out + page
    assert "cannot be seen without a login" in found.err
    assert "whether it is AI Toolkit's cannot be seen without a login" in lines
    assert [] == json["abilities"]


def test_what_a_token_hides_is_not_called_absent_either() -> None:
    """Of a web UI: every endpoint is locked, no number of them is told, nor what it can do."""
    with canned(Reply(401, {"error": "Unauthorized"})) as site:
        found = run("discover", "--url", site.url, code=4)
        report = discover(site.url)
        auth = check_auth(site.url)
        line = run("doctor", "--url", site.url, code=4).out

    assert "endpoints: cannot be seen without a login" in found.out
    assert frozenset() == report.abilities
    # A server that answers 401 to everything may be anybody's.
    assert "whether it is that cannot be seen without a token" in auth.product
    assert "It is AI Toolkit's web UI" not in line


@pytest.mark.parametrize(
    ("reply", "code"), [(sites.LOGIN_PAGE, 4), (sites.BASIC, 4), (Reply(403, "Forbidden"), 4)]
)
def test_behind_a_gateways_login_nothing_is_seen(reply: Reply, code: int) -> None:
    """`doctor`, `discover` and `auth` say so, with the exit code of a refusal."""
    with canned(reply) as site:
        said = [run(name, "--url", site.url, code=code) for name in ("auth", "doctor", "discover")]

    assert all("seen without a login" in ran.out + ran.err for ran in said)
    assert not any("not on this server" in ran.out + ran.err for ran in said)


# -- evidence -------------------------------------------------------------------------------------


def webui(**answers: Reply) -> Callable[[Asked], Reply]:
    """Return an open web UI, with other answers by the words of a request (`PUT_api`)."""

    def answer(asked: Asked) -> Reply:
        for key, reply in answers.items():
            method, *parts = key.split("_")
            if asked.method == method and asked.path.startswith("/" + "/".join(parts)):
                return reply
        if asked.path == "/api/auth" and asked.method == "GET":
            return Reply(200, {"isAuthenticated": True})
        if asked.method == "PUT" and "no-such" not in asked.path:
            return Reply(405)
        return Reply(404, "<html></html>", sites.HTML)

    return answer


def finding(url: str, name: str, **given: Any) -> Any:
    """Return a finding about the server, or None."""
    found = {one.name: one for one in check_auth(url, **given).findings}
    return found.get(name)


def test_an_open_servers_evidence_is_the_answers() -> None:
    """Those to requests without credentials; whoever needs a gateway's header is told apart."""
    with canned(webui()) as site:
        plain = finding(site.url, "no-password")
        behind = finding(site.url, "no-password", headers={"X-Gateway": "v"})

    assert "GET /api/auth without credentials: 200 application/json" in plain.evidence
    assert "PUT /api/jobs without credentials: 405" in plain.evidence
    assert "anyone who reaches the address can train" in plain.message
    assert "anyone who passes the gateway can train" in behind.message


@pytest.mark.parametrize("status", [401, 403])
def test_a_password_of_the_page_only_is_told(status: int) -> None:
    """The page asks for one, and the API behind it for none: that is not "no password"."""
    with canned(webui(GET_=Reply(status, "<html>", sites.HTML))) as site:

        def answer(asked: Asked) -> Reply:
            locked = asked.path == "/"
            return Reply(status, "<html>", sites.HTML) if locked else webui()(asked)

        site.answer = answer
        found = finding(site.url, "no-password")

    assert "A password protects only the page: anyone who reaches the address" in found.message


@pytest.mark.parametrize("put", [Reply(401, {"error": "Unauthorized"}), Reply(403), Reply(200)])
def test_an_answer_of_the_login_alone_does_not_prove_that_anyone_can_train(put: Reply) -> None:
    """`/api/auth` says yes to everybody, and the jobs do not."""
    with canned(webui(PUT_api=put)) as site:
        found = finding(site.url, "no-password")

    assert "whether they can train is unknown" in found.message
    assert "PUT" not in found.evidence


def test_405_to_everything_proves_no_endpoint() -> None:
    """A gateway that takes no PUT: nobody is let in by it, and no endpoint is there by it."""
    with canned(webui(PUT_=Reply(405))) as site:
        site.answer = lambda asked: Reply(405) if asked.method == "PUT" else webui()(asked)
        cells = [c for c in check_auth(site.url).checks if c.request.startswith("PUT")]
        found = discover(site.url)

    assert {Outcome.UNKNOWN} == {cell.outcome for cell in cells}
    assert {"unknown"} == {endpoint.state for endpoint in found.endpoints}
    assert frozenset() == found.abilities


@pytest.mark.parametrize("status", [404, 501, 200])
def test_where_put_does_not_arrive_nothing_is_absent(status: int) -> None:
    """`/api/auth` answers a GET, so that what PUT gets there is not the server's."""
    with canned(webui()) as site:
        site.answer = lambda asked: Reply(status) if asked.method == "PUT" else webui()(asked)
        found = discover(site.url)

    assert {"unknown"} == {endpoint.state for endpoint in found.endpoints}


@pytest.mark.parametrize(
    "reply",
    [
        Reply(403, "Forbidden"),
        Reply(403, {"message": "Forbidden"}),
        Reply(404, {"error": "no route"}),
        Reply(200, "hello"),
        Reply(403, "<html>Access denied</html>", sites.HTML),
    ],
)
def test_files_are_public_only_by_the_routes_own_words(reply: Reply) -> None:
    """A gateway that answers everything below /api/files in its own way shows none."""

    def answer(asked: Asked) -> Reply:
        if asked.headers.get("authorization") == "Bearer right":
            return webui()(asked)
        public = asked.path.startswith(("/api/files/", "/api/img/"))
        return reply if public else Reply(401, {"error": "Unauthorized"})

    with canned(answer) as site:
        report = check_auth(site.url, token="right")

    assert AuthState.ACCEPTED is report.state
    assert "public-files" not in {one.name for one in report.findings}


def test_a_page_under_every_address_accepts_no_token() -> None:
    """It has status 200 for a made-up one as well, which is no "any-password"."""

    def answer(asked: Asked) -> Reply:
        if asked.headers.get("authorization"):
            return Reply(200, "<html>Welcome</html>", sites.HTML)
        return Reply(401, {"error": "Unauthorized"})

    with canned(answer) as site:
        report = check_auth(site.url, token="mine")

    assert AuthState.REJECTED is report.state
    assert {"any-password", "default-password"}.isdisjoint({one.name for one in report.findings})


@pytest.mark.parametrize(
    ("reply", "verdicts"),
    [
        (Reply(200, {"ok": True}), {"false", "unknown"}),
        (Reply(401, {"error": "Unauthorized"}), {"locked", "false", "unknown"}),
        (Reply(403, "Forbidden"), {"unknown", "false"}),
        (Reply(500), {"unknown"}),
        (Reply(302, headers={"Location": "/login"}), {"unknown"}),
    ],
)
def test_one_answer_to_everything_makes_no_claim_true(reply: Reply, verdicts: set[str]) -> None:
    """Nor is what it does not show called false."""
    with canned(webui()) as site:
        login = ("GET", "/api/auth")
        site.answer = lambda asked: webui()(asked) if (asked.method, asked.path) == login else reply
        claims = discover(site.url).claims

    assert {claim.message for claim in claims} <= verdicts
    assert all(claim.evidence for claim in claims)


def test_the_clock_of_a_cache_is_no_clock() -> None:
    """Its Date is that of the answer it keeps."""
    old = {"Date": "Thu, 01 Jan 2015 00:00:00 GMT"}
    body = {"isAuthenticated": True}
    with canned(Reply(200, body, {**old, "Age": "900"})) as site:
        assert check_auth(site.url).skew is None
    with canned(Reply(200, body, old)) as site:
        assert "or a gateway" in finding(site.url, "clock").evidence
