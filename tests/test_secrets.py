"""A token that is given to the client comes out nowhere: the only way is the request itself."""

from __future__ import annotations

import copy
import dataclasses
import io
import json
import logging
import pickle
import re
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import aitk_nb
from aitk_nb import demo
from aitk_nb.backends.webui.backend import WebUI
from aitk_nb.backends.wire.http import Http
from aitk_nb.connection.connection import Connection, Secret, resolve
from aitk_nb.errors import BadInput
from tests.backends.canned import BROKEN, Asked, Reply, canned, nobody

TOKEN = "planted-Zx7q/9+Qz"
GATEWAY = "Basic cGxhbnRlZDpoZWFkZXI9PQ=="
PLANTED = ("planted", "Zx7q", "9+Qz", "9%2BQz", "cGxhbnRl", "ZWFkZXI9", "ZWFkZXI%3D")
"""Pieces of the two secrets, so that a part of one is found too; none can be part of an address."""


def assert_clean(text: str) -> None:
    """Fail when a piece of a secret is in `text`."""
    found = [piece for piece in PLANTED if piece in text]
    assert not found, f"{found} in {text[:3000]}"


def connection(url: str) -> Connection:
    """Return a connection with both secrets."""
    return Connection(url, token=Secret(TOKEN), headers={"X-Gateway": Secret(GATEWAY)})


# -- values ---------------------------------------------------------------------------------------


@pytest.fixture(
    params=["secret", "connection", "http", "backend", "client", "datasets", "jobs", "list"]
)
def holder(request: pytest.FixtureRequest) -> Any:
    """Return each object that holds the token in turn."""
    held = connection("http://127.0.0.1:1")
    backend = WebUI(Http(held))
    client = aitk_nb.AIToolkitClient(backend)
    return {
        "secret": Secret(TOKEN),
        "connection": held,
        "http": Http(held),
        "backend": backend,
        "client": client,
        "datasets": client.datasets,
        "jobs": client.jobs,
        "list": [Secret(TOKEN), {"token": Secret(TOKEN)}],
    }[request.param]


def test_no_text_of_it_shows_the_token(holder: Any) -> None:
    """However it is made into text."""
    ways: list[Callable[[Any], object]] = [repr, str, "{}".format, "{!r:>40}".format, ascii]
    for way in ways:
        assert_clean(str(way(holder)))
    assert_clean("%s %r" % (holder, holder))  # noqa: UP031  (one more way)
    for html in ("_repr_html_", "_repr_mimebundle_"):
        if hasattr(holder, html):
            assert_clean(str(getattr(holder, html)()))


def test_no_copy_of_it_leaves(holder: Any) -> None:
    """Pickle, JSON and copies fail, or hold no token."""
    ways: list[Callable[[Any], Any]] = [
        lambda value: pickle.dumps(value).decode("latin-1"),
        json.dumps,
        lambda value: json.dumps(value, default=str),
        lambda value: json.dumps(value, default=repr),
        lambda value: repr(copy.deepcopy(value)),
        lambda value: repr(dataclasses.asdict(value)),
        lambda value: bytes(value).decode("latin-1"),
    ]
    for way in ways:
        try:
            text = way(holder)
        except (TypeError, AttributeError, pickle.PicklingError):
            continue
        assert_clean(str(text))


def test_a_secret_is_no_text() -> None:
    """It joins nothing, it compares by value, and only `reveal` tells it."""
    secret = Secret(TOKEN)
    for join in (lambda: secret + "x", lambda: "x" + secret, lambda: "".join([secret])):  # type: ignore[operator,list-item]
        with pytest.raises(TypeError):
            join()
    assert secret == Secret(TOKEN)
    assert secret != TOKEN
    assert hash(secret) == hash(Secret(TOKEN))
    assert secret
    assert not Secret("")
    assert TOKEN == secret.reveal()
    for copied in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError):
            copied(secret)
    with pytest.raises(TypeError):
        Secret(TOKEN.encode())  # type: ignore[arg-type]


def test_only_the_wire_reveals_it() -> None:
    """`.reveal()` is called in the modules that send, and nowhere else."""
    package = Path(aitk_nb.__file__).parent
    callers = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if re.search(r"\breveal\b(?!\(self\))", path.read_text(encoding="utf-8"))
    }
    assert callers <= {
        "backends/wire/http.py",
        "backends/gradio/login.py",
        "runpod/guard.py",
        "runpod/wire.py",
    }
    assert "backends/wire/http.py" in callers


# -- errors ---------------------------------------------------------------------------------------


def rendered(error: BaseException) -> str:
    """Return everything that a debugger, pytest or IPython would show of an error."""
    return f"{plain(error)}\n{without_this_file(verbose(error))}"


def plain(error: BaseException) -> str:
    """Return it without what IPython shows, which takes a fifth of a second."""
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    parts = ["".join(shown.format()), repr(error), str(error), repr(vars(error))]
    return "\n".join(without_this_file(part) for part in parts)


def without_this_file(text: str) -> str:
    """Leave out the lines of the tests themselves, where the token is planted."""
    lines = text.splitlines()
    return "\n".join(line for line in lines if "TOKEN" not in line and "GATEWAY" not in line)


def verbose(error: BaseException) -> str:
    """Return the traceback as IPython's verbose mode shows it."""
    from IPython.core.ultratb import VerboseTB

    out = io.StringIO()
    shower = VerboseTB(ostream=out, include_vars=True)
    shower.handler((type(error), error, error.__traceback__))
    return re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue())


def echo(asked: Asked) -> Reply:
    """Say everything back that was sent, in every form and place."""
    sent = " ".join(asked.headers.values())
    forms = {
        "/api/auth": Reply(200, {"isAuthenticated": True}, {"X-Echo": sent}),
        "/json": Reply(403, {"error": f"no: {sent}"}),
        "/text": Reply(500, f"bad token {TOKEN} or {GATEWAY.split()[1]}"),
        "/cut": Reply(500, "x" * 290 + TOKEN),
        "/cut-header": Reply(500, "x" * 290 + " " + GATEWAY),
        "/html": Reply(404, f"<html>{sent}</html>", {"Content-Type": "text/html"}),
        "/kind": Reply(200, "hello", {"Content-Type": f"text/{TOKEN}"}),
        "/redirect": Reply(302, headers={"Location": f"/login/{TOKEN}?next={TOKEN}"}),
        "/quoted": Reply(302, headers={"Location": "/login/planted-Zx7q%2F9%2BQz#x"}),
        "/bad-redirect": Reply(302, headers={"Location": f"http://[{TOKEN}"}),
        "/refused": Reply(401, {"error": sent}, {"WWW-Authenticate": sent}),
        "/no-json": Reply(200, f"{sent}", {"Content-Type": "application/json"}),
        "/gzip": Reply(200, sent, {"Content-Encoding": "gzip"}),
        "/gateway": Reply(502, sent),
        "/broken": BROKEN,
        "/": Reply(200, sent),
    }
    return forms.get(asked.path, Reply(409, {"error": sent}))


FORMS = [
    "/json",
    "/text",
    "/cut",
    "/cut-header",
    "/html",
    "/kind",
    "/redirect",
    "/quoted",
    "/bad-redirect",
    "/refused",
    "/no-json",
    "/gzip",
    "/gateway",
    "/broken",
]


@pytest.fixture(scope="module")
def hostile() -> Iterator[str]:
    """Return the address of a server that echoes secrets."""
    with canned(echo) as site:
        yield site.url


@pytest.mark.parametrize("show", [plain, pytest.param(rendered, marks=pytest.mark.slow)])
@pytest.mark.parametrize("path", FORMS)
def test_no_error_repeats_the_token(
    hostile: str, path: str, show: Callable[[BaseException], str]
) -> None:
    """Though the server does; the whole chain with all its frames and locals is looked at."""
    http = Http(connection(hostile), attempts=1)
    calls: list[Callable[[], object]] = [
        lambda: http.get_json(path, what="do it"),
        lambda: http.act(path, what="do it"),
        lambda: http.post_json(path, {}, what="do it"),
        lambda: http.post_files(path, {}, {"files": ("a", b"b")}, what="do it"),
        lambda: stream(http, path),
    ]
    for call in calls:
        try:
            call()
        except aitk_nb.AitkError as error:
            assert_clean(show(error))
        else:
            assert path in {"/kind", "/no-json", "/gzip"}, "only bytes can be had of these"
    http.close()


def stream(http: Http, path: str) -> None:
    """Read an answer bit by bit."""
    with http.stream(path, what="do it", headers={}) as response:
        for _ in response.iter_raw():
            pass


def test_no_error_of_the_client_repeats_the_token(hostile: str) -> None:
    """Calls of every kind against a server that says everything back."""
    params = aitk_nb.TrainingParams(name="cat", dataset="cats")
    with aitk_nb.connect(hostile, token=TOKEN, headers={"X-Gateway": GATEWAY}) as client:
        calls: list[Callable[[], object]] = [
            client.gpus,
            client.jobs.list,
            client.datasets.list,
            lambda: client.jobs.start(params),
            lambda: client.datasets.get("cats"),
        ]
        for call in calls:
            with pytest.raises(aitk_nb.AitkError) as caught:
                call()
            assert_clean(rendered(caught.value))


@pytest.mark.parametrize("url", ["", "ftp://x", "not an address", "nobody", "http://127.0.0.1:1"])
def test_no_error_of_connecting_repeats_the_token(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given as text, or by the environment, which is in nobody's locals either."""
    address = nobody() if url == "nobody" else url or "demo:/dev/null/x"
    planted = [{"credentials": TOKEN, "headers": {"X-Gateway": GATEWAY}}, {}]
    monkeypatch.setenv("AITK_TOKEN", TOKEN)
    monkeypatch.setenv("AI_TOOLKIT_AUTH", TOKEN)
    for given in planted:
        with pytest.raises((aitk_nb.AitkError, OSError)) as caught:
            aitk_nb.connect(address, **given)  # type: ignore[arg-type]
        assert_clean(ours_only(caught.value))


@pytest.mark.parametrize(
    "given",
    [
        {"credentials": f"{TOKEN} with a space"},
        {"credentials": f"{TOKEN}\n"},
        {"credentials": ("user", f"{TOKEN}"), "verify": "/no/such/file"},
        {"headers": {"X-Gateway": f"{GATEWAY}\n"}},
        {"headers": {"X Gateway": GATEWAY}},
    ],
)
def test_refusing_a_secret_does_not_repeat_it(given: dict[str, Any]) -> None:
    """What cannot be sent is refused with all its locals clean."""
    entries = (aitk_nb.connect, aitk_nb.discover, aitk_nb.check_auth)
    for enter in entries:
        try:
            report = enter("http://127.0.0.1:1", **given)
        except BadInput as error:
            assert_clean(ours_only(error))
        else:
            # What is wrong with a token is found out, not refused.
            assert enter is aitk_nb.check_auth
            assert isinstance(given.get("credentials"), str)
            assert_clean(f"{report!r} {report.as_dict()} {report._repr_mimebundle_()}")


def test_two_authorizations_are_refused_without_repeating_them() -> None:
    """One of them has to go elsewhere."""
    with canned(Reply(body={"isAuthenticated": True})) as site, pytest.raises(BadInput) as caught:
        aitk_nb.connect(site.url, token=TOKEN, headers={"Authorization": GATEWAY})
    assert_clean(ours_only(caught.value))


def ours_only(error: BaseException) -> str:
    """Return what is shown of an error from our own frames on: a test's locals hold the token."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    return rendered(error.with_traceback(trace))


def test_an_interrupt_shows_no_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle of a request: the frames of the HTTP library are left out."""
    import signal
    import threading

    def slow(_asked: Asked) -> Reply:
        threading.Timer(0.1, signal.raise_signal, [signal.SIGINT]).start()
        threading.Event().wait(0.5)
        return BROKEN

    with canned(slow) as site:
        http = Http(connection(site.url), attempts=1)
        with pytest.raises(KeyboardInterrupt) as caught:
            http.get_json("/api/x", what="do it")
        http.close()

    files = [frame.filename for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert not [name for name in files if "httpx" in name or "httpcore" in name or "h11" in name]
    assert_clean(rendered(caught.value))


# -- logs -----------------------------------------------------------------------------------------


def test_no_log_shows_the_token(
    token_server: demo.DemoServer, photos: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Everything at DEBUG, the HTTP library's own lines too."""
    from tests.conftest import TOKEN as REAL

    caplog.set_level(logging.DEBUG)
    with aitk_nb.connect(token_server.url, token=REAL) as client:
        client.datasets.upload(photos, "logged")
        client.gpus()
    with aitk_nb.connect(token_server.url, token=TOKEN) as client, pytest.raises(aitk_nb.AitkError):
        client.jobs.list()

    assert "HTTP Request" in caplog.text
    assert REAL not in caplog.text
    assert_clean(caplog.text)


def test_no_url_carries_the_token(hostile: str) -> None:
    """It is sent in a header only."""
    with canned(Reply(body={"isAuthenticated": True, "jobs": []})) as site:
        with aitk_nb.connect(site.url, token=TOKEN, headers={"X-Gateway": GATEWAY}) as client:
            client.jobs.list()
        for asked in site.asked:
            assert_clean(asked.path + asked.query + asked.body.decode())
            others = {n: v for n, v in asked.headers.items() if n not in {"authorization"}}
            assert TOKEN not in str(others)


def test_the_environment_is_read_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not at import."""
    monkeypatch.setenv("AITK_TOKEN", TOKEN)
    monkeypatch.setenv("AITK_URL", "http://127.0.0.1:1")
    assert Secret(TOKEN) == resolve().token
