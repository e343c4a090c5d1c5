"""The loss database of a running job, followed through a real Gradio server's file route."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from aitk_nb.backends.gradio.app import GradioApp
from aitk_nb.backends.gradio.files import FileRoute
from aitk_nb.backends.gradio.login import GradioHttp
from aitk_nb.backends.gradio.loss_db import LossFollower
from aitk_nb.connection.connection import Connection, Secret
from aitk_nb.demo.trainer.loss_log import LossLog
from aitk_nb.errors import NotFound, Unauthorized
from aitk_nb.models.loss import LossPoint
from tests.backends.canned import Reply, canned

# To import it here would take seconds.
pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("gradio") is None, reason="pip install 'aitk-nb[gradio]'"
)

SCRIPT = Path(__file__).with_name("gradio_folder.py")
ROWS = (
    "SELECT step, wall_time, value_real FROM metrics JOIN steps USING (step)"
    " WHERE key = ? ORDER BY step"
)


class CountingRoute(FileRoute):
    """Adds up the bytes that were read."""

    got = 0

    def read(self, path: str, start: int, stop: int) -> bytes:
        """Read, and count."""
        content = super().read(path, start, stop)
        self.got += len(content)
        return content


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A folder, and the address of the server that shows it."""
    folder = tmp_path_factory.mktemp("served")
    environment = {**os.environ, "GRADIO_ANALYTICS_ENABLED": "False"}
    command = [sys.executable, str(SCRIPT), str(folder)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        yield folder, process.stdout.readline().strip()
        process.communicate()


@pytest.fixture
def folder(served: tuple[Path, str], request: pytest.FixtureRequest) -> Path:
    """A folder of the test's own."""
    made = served[0] / request.node.name
    made.mkdir()
    return made


@pytest.fixture
def route(served: tuple[Path, str]) -> Iterator[CountingRoute]:
    """The file route."""
    http = GradioHttp(Connection(served[1]))
    yield CountingRoute(GradioApp(http))
    http.close()


@pytest.fixture
def log(folder: Path) -> Iterator[LossLog]:
    """The trainer's logger."""
    opened = LossLog(folder / "loss_log.db")
    yield opened
    opened.close()


def in_database(path: Path, key: str = "loss/loss") -> tuple[LossPoint, ...]:
    """Return what SQLite reads."""
    with closing(sqlite3.connect(path)) as db:
        return tuple(LossPoint(*row) for row in db.execute(ROWS, (key,)))


def write(log: LossLog, first: int, last: int) -> None:
    """Log steps, each of them flushed as those of a slow training are."""
    for step in range(first, last):
        log.commit(step, {"loss/loss": 1 / (step + 1), "learning_rate": 1e-4})
        log.flush()


@pytest.mark.slow
def test_the_whole_loss_across_a_log_begun_anew(
    folder: Path, route: CountingRoute, log: LossLog
) -> None:
    """Every row of 1,500 steps at each look, at hardly more bytes than are new."""
    path = folder / "loss_log.db"
    follower = LossFollower(route, str(path))
    frames, sequences = 0, set()
    for first in range(1, 1500, 40):
        write(log, first, min(first + 40, 1500))
        assert follower.refresh()
        assert follower.points("loss/loss", None) == in_database(path)
        frames += min(40, 1500 - first) * 5 * (4096 + 24)
        sequences.add(follower._header[12:16])
    assert len(sequences) > 3
    assert route.got < 2 * frames
    log.close()
    assert follower.refresh()
    assert follower.folded
    assert follower.keys() == ("learning_rate", "loss/loss")
    assert follower.points("learning_rate", None) == in_database(path, "learning_rate")
    assert len(follower.points("loss/loss", 1000)) == 499


def test_nothing_new_costs_no_bytes(folder: Path, route: CountingRoute, log: LossLog) -> None:
    """Two questions for the state of the files, and no more."""
    follower = LossFollower(route, str(folder / "loss_log.db"))
    write(log, 1, 20)
    assert follower.refresh()
    got = route.got
    assert not follower.refresh()
    assert route.got == got


def test_before_the_training_loop(folder: Path, route: CountingRoute) -> None:
    """No database, then one without tables."""
    path = folder / "loss_log.db"
    follower = LossFollower(route, str(path))
    assert not follower.refresh()
    path.touch()
    follower.refresh()
    assert follower.keys() == ()
    assert follower.points("loss/loss", None) == ()


def test_a_second_run_in_the_same_folder(folder: Path, route: CountingRoute, log: LossLog) -> None:
    """Steps that the first run had gone beyond its checkpoint are gone, as in the database."""
    path = folder / "loss_log.db"
    follower = LossFollower(route, str(path))
    write(log, 1, 50)
    follower.refresh()
    log.close()
    again = LossLog(path)
    write(again, 30, 35)
    assert follower.refresh()
    assert not follower.folded
    assert follower.points("loss/loss", None) == in_database(path)
    assert follower.points("loss/loss", None)[-1].step == 34
    again.close()


def test_a_killed_run_leaves_its_log(folder: Path, route: CountingRoute, log: LossLog) -> None:
    """The files as they were at the moment of the kill: read alike, and never called folded."""
    write(log, 1, 30)
    rows = in_database(folder / "loss_log.db")
    left = folder / "left"
    left.mkdir()
    for name in ("loss_log.db", "loss_log.db-wal"):
        shutil.copy(folder / name, left / name)
    follower = LossFollower(route, str(left / "loss_log.db"))
    assert follower.refresh()
    assert follower.points("loss/loss", None) == rows
    assert not follower.folded


def test_values_that_are_no_numbers(folder: Path, route: CountingRoute) -> None:
    """A text may be a number; anything else keeps its step."""
    path = folder / "loss_log.db"
    log = LossLog(path)
    write(log, 1, 5)
    log.close()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE metrics SET value_real = NULL, value_text = '7.5' WHERE step = 2")
        db.execute("UPDATE metrics SET value_real = NULL, value_text = 'odd' WHERE step = 3")
    follower = LossFollower(route, str(path))
    follower.refresh()
    values = [point.value for point in follower.points("loss/loss", 1)]
    assert values == pytest.approx([7.5, float("nan"), 0.2], nan_ok=True)


def test_a_file_that_grows_and_one_that_is_not_there(
    folder: Path, route: CountingRoute, tmp_path: Path
) -> None:
    """The size is HEAD's; names with odd characters are quoted; a missing file is `NotFound`."""
    name = folder / "é #1 %20.bin"
    name.write_bytes(bytes(range(256)) * 10_000)
    found = route.stat(str(name))
    assert found is not None
    assert found.size == 2_560_000
    assert route.read(str(name), 255, 2_000_003) == name.read_bytes()[255:2_000_003]
    target = tmp_path / "copy.bin"
    assert route.download(str(name), target, lambda _done, _total: None) == found.size
    assert target.read_bytes() == name.read_bytes()
    with route.open_range(str(name)) as reader:
        assert reader(2_559_999, 100) == b"\xff"
    assert route.stat(str(folder)) is None
    with pytest.raises(NotFound):
        route.download(str(folder / "none"), target, lambda _done, _total: None)


def test_the_server_has_what_the_route_avoids(served: tuple[Path, str], folder: Path) -> None:
    """403 for what is not there, a folder and a forbidden file alike."""
    for path in (folder / "none", folder, Path("/etc/hostname")):
        answer = httpx.get(f"{served[1]}/gradio_api/file={path}")
        assert answer.status_code == 403


def test_a_file_that_goes_while_the_server_looks_at_it() -> None:
    """Gradio answers 500 once; asked again it says that the file is not there."""
    replies = iter(
        [Reply(500, "Internal Server Error"), Reply(403, {"detail": "File not allowed"})]
    )
    config = Reply(200, {"version": "6.0.0", "protocol": "sse_v3", "dependencies": []})
    with canned(lambda asked: config if "config" in asked.path else next(replies)) as site:
        http = GradioHttp(Connection(site.url))
        assert FileRoute(GradioApp(http)).stat("/gone") is None
        http.close()


@pytest.mark.parametrize("method", ["HEAD", "GET"])
@pytest.mark.parametrize(
    "reply",
    [
        Reply(302, headers={"Location": "https://sso.example/login"}),
        Reply(403, "<h1>Forbidden</h1>", {"Content-Type": "text/html"}),
        Reply(403, "RBAC: access denied"),
    ],
)
def test_a_gateways_refusal_is_no_missing_file(reply: Reply, method: str) -> None:
    """It would be a job that has lost its files, or a server that has lost the job."""
    config = Reply(200, {"version": "6.0.0", "protocol": "sse_v3", "dependencies": []})
    with canned(lambda asked: config if "config" in asked.path else reply) as site:
        http = GradioHttp(Connection(site.url), attempts=1)
        route = FileRoute(GradioApp(http))
        with pytest.raises(Unauthorized, match="gateway"):
            _ = route.stat("/there") if method == "HEAD" else route.read("/there", 0, 5)
        with pytest.raises(Unauthorized, match="gateway"):
            GradioApp(http).ended()
        http.close()


def test_a_gateways_challenge_does_not_get_the_login_of_the_app() -> None:
    """Its 401 is told as its own; the app's is answered with the login."""
    reply = Reply(401, "", {"WWW-Authenticate": "Basic realm=x"})
    with canned(reply) as site:
        http = GradioHttp(Connection(site.url, login=("me", Secret("planted"))), attempts=1)
        with pytest.raises(Unauthorized, match="credentials of its own"):
            http.get_json("/config", what="describe itself")
        http.close()

    assert ["/config"] == site.paths()
