"""`Http`: every form of failure is one error of ours."""

from __future__ import annotations

import re

import pytest

from aitk_nb.errors import (
    AitkError,
    ConnectionFailed,
    Rejected,
    ServerNotReady,
    Unauthorized,
    UnexpectedReply,
)
from tests.backends.canned import Reply, canned
from tests.backends.speaking import speaking

HTML = {"Content-Type": "text/html; charset=utf-8"}


@pytest.mark.parametrize(
    ("reply", "kind", "says"),
    [
        (Reply(409, {"error": "Job name already exists"}), Rejected, "Job name already exists"),
        (Reply(403, "Access denied"), Rejected, "Access denied"),
        (Reply(500), Rejected, "(500)"),
        (Reply(405), Rejected, "(405)"),
        (Reply(500, {"error": {"code": 7}}), Rejected, "(500)"),
        (Reply(422, ["a", "list"]), Rejected, "(422)"),
        (Reply(404, "<html>Not here</html>", HTML), UnexpectedReply, "no such endpoint"),
        (Reply(200, "<html>Hello</html>", HTML), UnexpectedReply, "text/html"),
        (Reply(200), UnexpectedReply, "instead of JSON"),
        (Reply(308, headers={"Location": "/api/clean?a=1"}), UnexpectedReply, "/api/clean"),
        (Reply(302), UnexpectedReply, "redirect"),
        (Reply(401, {"error": "Unauthorized"}), Unauthorized, "none was given"),
        (Reply(413, "Too large"), Rejected, "Too large"),
    ],
)
def test_each_form_of_failure_is_named(reply: Reply, kind: type[AitkError], says: str) -> None:
    """JSON, text, nothing, a web page and a redirect: each is one error of ours, asked once."""
    with canned(reply) as site, speaking(site) as http:
        with pytest.raises(kind, match=re.escape(says)) as caught:
            http.get_json("/api/x", what="do it")

        assert type(caught.value) is kind
        assert 1 == len(site.asked)


@pytest.mark.parametrize("location", ["http://[::1", "http://h:notaport/", "ht!tp://x/"])
def test_a_redirect_to_nowhere_is_a_failure_of_ours(location: str) -> None:
    """The address in it cannot even be read."""
    reply = Reply(302, headers={"Location": location})
    with canned(reply) as site, speaking(site, attempts=1) as http, pytest.raises(AitkError):
        http.get_json("/api/x", what="do it")


@pytest.mark.parametrize("status", [502, 503, 504, 520, 521, 522, 523, 524])
def test_a_gateway_that_waits_for_its_server_is_not_ready(status: int) -> None:
    """What stands in front of a pod answers for it; that is no answer of the server."""
    page = Reply(status, "<html>Bad gateway</html>", HTML)
    with (
        canned(page) as site,
        speaking(site, attempts=1) as http,
        pytest.raises(ServerNotReady, match=str(status)) as caught,
    ):
        http.get_json("/api/auth", what="say what it is")

    assert isinstance(caught.value, ConnectionFailed)


def test_what_the_server_said_is_kept_short_and_on_one_line() -> None:
    """A page of text does not become a page of error."""
    with (
        canned(Reply(500, "line\n" * 1000)) as site,
        speaking(site) as http,
        pytest.raises(Rejected) as caught,
    ):
        http.get_json("/api/x", what="do it")

    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
    assert 500 == caught.value.status


def test_an_answer_that_cannot_be_unpacked_is_a_failure_of_ours() -> None:
    """Content that is not what its encoding says."""
    broken = Reply(200, b"no gzip", {"Content-Encoding": "gzip"})
    with canned(broken) as site, speaking(site, attempts=1) as http, pytest.raises(AitkError):
        http.get_json("/api/x", what="do it")
