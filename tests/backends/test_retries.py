"""`Http`: what only reads is asked again, what acts never."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import httpx
import pytest

from aitk_nb.backends.wire.http import Http
from aitk_nb.connection.connection import Connection
from aitk_nb.errors import (
    AitkError,
    ConnectionFailed,
)
from tests.backends.canned import BROKEN, Asked, Reply, canned, nobody
from tests.backends.speaking import FINE, speaking
from tests.proxy import FaultProxy


def failing(times: int, then: Reply = FINE, reply: Reply = BROKEN) -> Iterator[Reply]:
    """Yield `reply` so many times and `then` ever after."""
    yield from [reply] * times
    while True:
        yield then


def test_a_read_is_repeated_until_it_is_answered() -> None:
    """Twice the line breaks after the request arrived; the third answer counts."""
    replies = failing(2)
    with canned(lambda _asked: next(replies)) as site, speaking(site) as http:
        assert http.get_json("/api/x", what="do it") == {"fine": True}
        assert 3 == len(site.asked)


def test_a_read_is_repeated_while_a_gateway_has_no_answer() -> None:
    """A 502 passes."""
    replies = failing(1, reply=Reply(502))
    with canned(lambda _asked: next(replies)) as site, speaking(site) as http:
        assert http.get_json("/api/x", what="do it") == {"fine": True}
        assert 2 == len(site.asked)


def test_a_read_gives_up() -> None:
    """After four attempts it says that nobody answers."""
    with canned(BROKEN) as site, speaking(site) as http:
        with pytest.raises(ConnectionFailed):
            http.get_json("/api/x", what="do it")

        assert 4 == len(site.asked)


@pytest.mark.parametrize("reply", [BROKEN, Reply(502), Reply(500), Reply(524)])
def test_an_action_is_never_repeated_once_it_may_have_arrived(reply: Reply) -> None:
    """Start, stop and delete are GETs; a second one may start a second training."""
    with canned(reply) as site, speaking(site) as http:
        with pytest.raises(AitkError):
            http.act("/api/jobs/1/start", what="start")
        with pytest.raises(AitkError):
            http.post_json("/api/jobs", {}, what="create")

        assert ["/api/jobs/1/start", "/api/jobs"] == site.paths()


def test_a_post_that_only_reads_is_repeated() -> None:
    """Captions are read by POST."""
    replies = failing(1)
    with canned(lambda _asked: next(replies)) as site, speaking(site) as http:
        body = http.post_json("/api/caption/getBatch", {}, what="show", repeat=True)

        assert {"fine": True} == body
        assert 2 == len(site.asked)


def test_a_read_survives_resets_on_the_way() -> None:
    """A connection that is refused by a reset is made anew."""
    with canned(FINE) as site, FaultProxy(site.url) as proxy:
        proxy.reset_next(2)
        http = Http(Connection(proxy.url))
        try:
            assert http.get_json("/api/x", what="do it") == {"fine": True}
        finally:
            http.close()
        assert 1 == len(site.asked)


def test_an_answer_that_breaks_off_is_read_again() -> None:
    """Half a JSON is no JSON."""
    whole = Reply(body={"fine": "x" * 5000})
    with canned(whole) as site, FaultProxy(site.url, cut_after=100) as proxy:
        http = Http(Connection(proxy.url))
        try:
            with pytest.raises(ConnectionFailed):
                http.get_json("/api/x", what="do it")
        finally:
            http.close()
        assert 4 == len(proxy.log)


def test_nobody_at_the_address() -> None:
    """The error names the address and asks the three questions."""
    url = nobody()
    http = Http(Connection(url), attempts=1)
    with pytest.raises(ConnectionFailed, match=re.escape(url)) as caught:
        http.get_json("/api/x", what="do it")
    http.close()

    assert url == caught.value.url
    assert "Is the server running" in str(caught.value)


def test_silence_is_waited_for_only_so_long() -> None:
    """A server that takes the request and says nothing."""

    def slow(_asked: Asked) -> Reply:
        time.sleep(0.6)
        return BROKEN

    with canned(slow) as site, speaking(site, attempts=1) as http:
        http.client.timeout = httpx.Timeout(0.2)
        with pytest.raises(ConnectionFailed, match="did not answer in time"):
            http.get_json("/api/x", what="do it")
