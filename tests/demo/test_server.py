"""The server over real HTTP: forms of answer, paths, ranges, tokens and life cycle.

The contract's cases are data in `tests/contract`; here is what they cannot say, above all what
this server does not copy.
"""

import gzip
import os
import socket
import sqlite3
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from aitk_nb import demo
from aitk_nb.demo.common import serving
from aitk_nb.demo.webui.routes_files import Span, read_range

TOKEN = "open-sesame"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[demo.DemoServer]:
    """One open server for the tests that only look."""
    with demo.start(tmp_path_factory.mktemp("data")) as server:
        yield server


@pytest.fixture(scope="module")
def http(server: demo.DemoServer) -> Iterator[httpx.Client]:
    """A client of that server."""
    with httpx.Client(base_url=server.url) as http:
        yield http


@pytest.fixture(scope="module")
def guarded() -> Iterator[httpx.Client]:
    """A client, without a token, of a server that demands one."""
    with demo.start(token=TOKEN) as server, httpx.Client(base_url=server.url) as http:
        (server.data / "datasets" / "x").mkdir()
        yield http


def address(path: Path | str) -> str:
    """Return the download path of a file."""
    return f"/api/files/{quote(str(path), safe='')}"


def names(folder: Path) -> list[str]:
    """Return the names in a folder, sorted."""
    return sorted(path.name for path in folder.iterdir())


def upload(http: httpx.Client, dataset: str, *files: tuple[str, bytes]) -> httpx.Response:
    """Upload files to a dataset."""
    parts = [("files", (name, data)) for name, data in files]
    return http.post("/api/datasets/upload", data={"datasetName": dataset}, files=parts)


def make_job(http: httpx.Client, name: str) -> str:
    """Create a job and return its id."""
    body = {"name": name, "gpu_ids": "0", "job_config": {}}
    return str(http.post("/api/jobs", json=body).json()["id"])


def test_names_are_made_plain_by_code_units(http: httpx.Client, server: demo.DemoServer) -> None:
    """An emoji is two characters in JavaScript; quotes arrive as quotes."""
    answer = upload(
        http, "Names", ("my photo (1) ü.png", b"1"), ("🙂.png", b"2"), ('a"b.png', b"3")
    )

    stored = ["my_photo__1___.png", "__.png", "a_b.png"]
    assert answer.json() == {"message": "Files uploaded successfully", "files": stored}
    assert names(server.data / "datasets" / "Names") == sorted(stored)
    created = http.post("/api/datasets/create", json={"name": "My Data-Set 01!"}).json()
    assert created == {"success": True, "name": "my_data_set_01_"}


def test_big_uploads_arrive_whole(http: httpx.Client, server: demo.DemoServer) -> None:
    """Content larger than what is held in memory is the same on disk."""
    data = os.urandom(5_000_000)

    upload(http, "big", ("a.bin", data), ("a.bin", data[::-1]))

    assert (server.data / "datasets" / "big" / "a.bin").read_bytes() == data[::-1]
    assert names(server.data / "datasets" / "big") == ["a.bin"]


@pytest.mark.parametrize("name", ["../out", "..", "a/../../out"])
def test_dataset_names_do_not_lead_out(
    http: httpx.Client, server: demo.DemoServer, name: str
) -> None:
    """Upload, list, zip and delete refuse a name that leaves the datasets folder."""
    assert upload(http, name, ("a.png", b"1")).status_code == 500
    assert http.post("/api/datasets/listImages", json={"datasetName": name}).status_code == 404
    assert http.post("/api/datasets/delete", json={"name": name}).status_code == 500
    assert not (server.data / "out").exists()
    assert (server.data / "aitk_db.db").exists()


def test_links_do_not_lead_out(http: httpx.Client, server: demo.DemoServer, tmp_path: Path) -> None:
    """A link in a dataset to a place outside is refused by reads, writes and deletes."""
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"secret")
    folder = server.data / "datasets" / "linked"
    folder.mkdir()
    (folder / "out").symlink_to(tmp_path)
    (folder / "a.png").symlink_to(secret)

    for path in (folder / "out" / "secret.png", folder / "a.png"):
        assert http.get(address(path)).text == "Access denied"
        assert http.get(f"/api/img/{quote(str(path), safe='')}?thumb=1").text == "Access denied"
        assert http.post("/api/files/delete", json={"filePath": str(path)}).status_code == 403
        assert http.post("/api/img/delete", json={"imgPath": str(path)}).status_code == 400
    assert upload(http, "linked/out", ("b.png", b"1")).status_code == 500
    listed = http.post("/api/datasets/listImages", json={"datasetName": "linked"}).json()
    assert listed["images"] == []
    assert names(tmp_path) == ["secret.png"]


@pytest.mark.parametrize("path", ["aitk_db.db", "../x", "/etc/passwd", "output/../aitk_db.db"])
def test_files_outside_are_denied(http: httpx.Client, server: demo.DemoServer, path: str) -> None:
    """Neither the database nor the machine's files can be read."""
    wanted = path if path.startswith("/") else f"{server.data}/{path}"

    answer = http.get(address(wanted))

    assert (answer.status_code, answer.text) == (403, "Access denied")


def test_captions_stay_beside_their_images(http: httpx.Client, server: demo.DemoServer) -> None:
    """A caption is written and read; its extension cannot lead elsewhere."""
    upload(http, "words", ("a.b.png", b"1"))
    image = str(server.data / "datasets" / "words" / "a.b.png")

    assert http.post("/api/img/caption", json={"imgPath": image, "caption": "é"}).json()["success"]
    assert http.post("/api/caption/get", json={"imgPath": image}).text == "é"
    batch = http.post("/api/caption/getBatch", json={"imgPaths": [image, "/etc/x.png", 3]})
    assert batch.json() == {"captions": {image: "é"}}
    away = {"imgPath": image, "caption": "x", "ext": "x/../../../../evil"}
    assert http.post("/api/img/caption", json=away).status_code == 400
    assert not (server.data / "evil").exists()
    http.post("/api/img/delete", json={"imgPath": image})
    assert names(server.data / "datasets" / "words") == []


def test_both_forms_of_a_path_and_odd_names(http: httpx.Client, server: demo.DemoServer) -> None:
    """A file is found whole or folder by folder, with percent signs and dots in its name."""
    folder = server.data / "output" / "a job"
    folder.mkdir()
    (folder / ".100% ü.txt").write_bytes(b"hello")

    for path in (address(folder / ".100% ü.txt"), f"{address(folder)}/{quote('.100% ü.txt')}"):
        answer = http.get(path)
        assert answer.content == b"hello"
        assert 'filename=".100%25%20%C3%BC.txt"' in answer.headers["content-disposition"]
    assert http.get(address(folder)).text == "Not a file"
    assert http.get("/api/files/%zz").content == b""


@pytest.mark.parametrize(
    ("header", "status", "body", "content_range"),
    [
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=0-1,3-4", 206, b"01", "bytes 0-1/10"),
        ("bytes=-3", 416, b"", "bytes */10"),
        ("bytes=10-", 416, b"", "bytes */10"),
        ("bytes=4-2", 416, b"", "bytes */10"),
    ],
)
def test_ranges(
    http: httpx.Client,
    server: demo.DemoServer,
    header: str,
    status: int,
    body: bytes,
    content_range: str,
) -> None:
    """Ranges are taken as the real server takes them."""
    path = server.data / "output" / "ten.bin"
    path.write_bytes(b"0123456789")

    answer = http.get(address(path), headers={"range": header})

    assert (answer.status_code, answer.content) == (status, body)
    assert answer.headers["content-range"] == content_range


def test_an_end_behind_the_file_breaks_off(http: httpx.Client, server: demo.DemoServer) -> None:
    """More is promised than comes; HEAD shows the promise; later requests are well."""
    path = server.data / "output" / "ten.bin"
    path.write_bytes(b"0123456789")
    headers = {"range": "bytes=0-99"}

    assert http.head(address(path), headers=headers).headers["content-length"] == "100"
    with http.stream("GET", address(path), headers=headers) as answer:
        chunks = answer.iter_bytes()
        assert next(chunks) == b"0123456789"
        with pytest.raises(httpx.RemoteProtocolError):
            next(chunks)
    assert http.get(address(path)).content == b"0123456789"


@given(st.text(alphabet="bytes=-,0123456789 x", max_size=20), st.integers(0, 100))
def test_range_headers_never_ask_for_nonsense(header: str, size: int) -> None:
    """Whatever is sent is refused or starts inside the file."""
    span = read_range(header, size)

    assert span is None or (0 <= span.first < size and span.length >= 1)
    assert read_range("bytes=0-", 5) == Span(0, 4)


def test_thumbnails_and_not_modified(http: httpx.Client, server: demo.DemoServer) -> None:
    """A thumbnail is made beside the image; an unchanged image is not sent again."""
    path = server.data / "datasets" / "pictures" / "a.png"
    path.parent.mkdir()
    Image.new("RGB", (640, 480), "red").save(path)
    url = f"/api/img/{quote(str(path), safe='')}"

    whole, small = http.get(url), http.get(f"{url}?thumb=1")

    assert whole.headers["content-type"] == "image/png"
    assert small.headers["content-type"] == "image/jpeg"
    with Image.open(path.parent / ".thumbs" / "a.png.jpg") as image:
        assert image.size == (300, 300)
    again = http.get(url, headers={"if-none-match": whole.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_image_lists_are_sorted_recursive_and_packed(
    http: httpx.Client, server: demo.DemoServer
) -> None:
    """Hidden files and controls are left out, and gzip is used when it is asked for."""
    root = server.data / "datasets" / "tree"
    for name in ("b.PNG", "A.jpg", "sub/c.webp", ".x.png", "_controls/d.png", "a.txt"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"1")
    ask, path = {"datasetName": "tree"}, "/api/datasets/listImages"

    answer = http.post(path, headers={"accept-encoding": "gzip"}, json=ask)

    assert answer.headers["content-encoding"] == "gzip"
    assert answer.json() == {"root": f"{root}/", "images": ["A.jpg", "b.PNG", "sub/c.webp"]}
    plain = http.post(path, headers={"accept-encoding": "x"}, json=ask)
    assert "content-encoding" not in plain.headers


def write_losses(path: Path, count: int) -> None:
    """Write a loss log with `count` points of one metric, one of them not finite."""
    with sqlite3.connect(path) as db:
        db.executescript(
            "CREATE TABLE steps(step INTEGER PRIMARY KEY, wall_time REAL);"
            "CREATE TABLE metric_keys(key TEXT PRIMARY KEY, first_seen_step, last_seen_step);"
            "CREATE TABLE metrics(step INTEGER, key TEXT, value_real REAL, value_text TEXT);"
            "INSERT INTO metric_keys VALUES ('loss/loss', 1, 9)"
        )
        db.executemany("INSERT INTO steps VALUES (?, ?)", [(i, i / 2) for i in range(count)])
        rows = [(i, "loss/loss", float("inf") if i == 3 else i / 4) for i in range(count)]
        db.executemany("INSERT INTO metrics (step, key, value_real) VALUES (?, ?, ?)", rows)
    db.close()


def test_losses(http: httpx.Client, server: demo.DemoServer) -> None:
    """The default key is empty, limits are as odd as in the real server, infinity is null."""
    url = f"/api/jobs/{make_job(http, 'lossy')}/loss"
    folder = server.data / "output" / "lossy"
    assert http.get(url, params={"key": "x"}).json() == {"keys": [], "key": "loss", "points": []}
    folder.mkdir()
    sqlite3.connect(folder / "loss_log.db").close()
    (folder / "loss_log.db").touch()
    assert (http.get(url).status_code, http.get(url).content) == (500, b"")
    write_losses(folder / "loss_log.db", 20_100)

    def steps(**query: str | int) -> list[int]:
        answer = http.get(url, params={"key": "loss/loss", **query}).json()
        return [point["step"] for point in answer["points"]]

    assert http.get(url).json() == {"key": "loss", "keys": ["loss/loss"], "points": []}
    assert steps() == list(range(2000))
    assert len(steps(limit=10**6)) == 20_000
    assert len(steps(limit=-1)) == 20_100
    assert steps(limit=0) == []
    assert steps(since_step=3, stride=2.9, limit=2) == [4, 6]  # type: ignore[arg-type]
    assert steps(since_step="abc", limit=1) == [0]
    assert steps(stride="abc") == []
    for limit in ("abc", "2.5"):
        answer = http.get(url, params={"key": "loss/loss", "limit": limit})
        assert (answer.status_code, answer.content) == (500, b"")
    third = http.get(url, params={"key": "loss/loss", "since_step": 2, "limit": 1})
    assert third.text.endswith('"points":[{"step":3,"wall_time":1.5,"value":null}]}')


def test_logs(http: httpx.Client, server: demo.DemoServer) -> None:
    """Offsets count bytes, a cut character is replaced, and a long log starts at a line."""
    url = f"/api/jobs/{make_job(http, 'logged')}/log"
    path = server.data / "output" / "logged" / "log.txt"
    assert http.get(url).json() == {"log": "", "offset": 0, "reset": True}
    path.parent.mkdir()
    path.write_text("ab█", "utf-8")

    assert http.get(url).json() == {"log": "ab█", "offset": 5, "reset": True}
    assert http.get(url, params={"offset": 3}).json()["log"] == "\ufffd\ufffd"
    assert http.get(url, params={"offset": 5}).json() == {"log": "", "offset": 5, "reset": False}
    assert http.get(url, params={"offset": 6}).json()["reset"] is True
    path.write_bytes(b"x" * 100 + b"\n" + b"y" * (5 * 1024 * 1024 - 50) + b"\n")
    assert http.get(url).json()["log"].strip("y") == "\n"


def test_zips_can_be_downloaded(http: httpx.Client, server: demo.DemoServer) -> None:
    """The archive of a dataset lies where the file route finds it."""
    upload(http, "packed", ("a.png", b"1"), ("a.txt", b"words"))
    ask = {"zipTarget": "dataset_captions", "datasetName": "packed"}

    answer = http.post("/api/zip", json=ask).json()

    (server.data / "copy.zip").write_bytes(http.get(address(answer["zipPath"])).content)
    with zipfile.ZipFile(server.data / "copy.zip") as archive:
        assert archive.namelist() == ["packed/a.txt"]
    assert http.post("/api/zip", json={**ask, "datasetName": ".."}).status_code == 404
    assert http.post("/api/zip", json={"jobName": "nobody"}).text == "Internal Server Error"


@pytest.mark.parametrize("name", ["../datasets", "..", "", "x/../.."])
def test_job_names_do_not_lead_out(http: httpx.Client, name: str) -> None:
    """Such a job cannot be made, nor a job be renamed so."""
    body = {"name": name, "gpu_ids": "0", "job_config": {}}
    job = make_job(http, f"named {name!r}"[:8] + str(len(name)))

    for sent in (body, {**body, "id": job}):
        answer = http.post("/api/jobs", json=sent)
        assert answer.status_code == 500
        assert answer.json() == {"error": "Failed to save training data"}
    http.get(f"/api/jobs/{job}/delete")


def test_pictures_in_sounds(http: httpx.Client, server: demo.DemoServer) -> None:
    """The picture of a tag is answered; a claimed kind that is none cannot become a header."""
    picture = b"p" * 100
    frame = b"\0text/html\r\nx: y\0\3cover\0" + picture
    frames = b"APIC" + len(frame).to_bytes(4, "big") + b"\0\0" + frame
    tag = b"ID3\3\0\0" + bytes([0, 0, len(frames) >> 7, len(frames) & 127]) + frames
    upload(http, "sounds", ("a.mp3", tag), ("b.mp3", b"none"), ("c.mp3", b"ID3\3\0\0\0\0\0\0"))

    def art(name: str) -> httpx.Response:
        path = quote(str(server.data / "datasets" / "sounds" / name), safe="")
        return http.get(f"/api/audio/art/{path}")

    assert art("a.mp3").content == picture
    assert art("a.mp3").headers["content-type"] == "image/jpeg"
    assert (art("b.mp3").status_code, art("b.mp3").text) == (404, "No ID3 tag")
    assert art("c.mp3").text == "No album art found"
    assert art("d.mp3").text == "File not found"


def test_nothing_is_run_or_passed_on(http: httpx.Client) -> None:
    """Scripts and the passage to another port answer in the form of an error."""
    script = http.post("/api/scripts", json={"script": "x.py"})

    assert script.status_code == 400
    assert script.json()["error"].startswith("Invalid or unknown script")
    assert http.get("/proxy-8866/anything").status_code == 404


def test_stop_signals_no_foreign_process(http: httpx.Client, server: demo.DemoServer) -> None:
    """A pid in the database that is not a child is left alone: this test would not survive."""
    job = make_job(http, "foreign")
    with sqlite3.connect(server.data / "aitk_db.db") as db:
        db.execute("UPDATE Job SET pid = ?, status = 'running' WHERE id = ?", [os.getpid(), job])
    db.close()

    http.get(f"/api/jobs/{job}/stop")

    now = http.get("/api/jobs", params={"id": job}).json()
    assert (now["status"], now["info"], now["stop"]) == ("running", "Stopping job...", True)
    http.get(f"/api/jobs/{job}/delete")


def test_settings_are_written_even_when_refused(
    http: httpx.Client, server: demo.DemoServer
) -> None:
    """A partial body is an error that has its effect; a foreign folder is shown, never used."""
    answer = http.post("/api/settings", json={"HF_TOKEN": "hf_x", "TRAINING_FOLDER": "/etc"})

    assert answer.json() == {"error": "Failed to update settings"}
    seen = http.get("/api/settings").json()
    assert (seen["HF_TOKEN"], seen["TRAINING_FOLDER"]) == ("hf_x", "/etc")
    assert seen["DATASETS_FOLDER"] == str(server.data / "datasets")
    assert http.get(address("/etc/passwd")).status_code == 403
    http.post("/api/settings", json={"TRAINING_FOLDER": ""})


def test_the_monitor_streams(http: httpx.Client) -> None:
    """First comes the history, then a sample each half second."""
    with http.stream("GET", "/api/monitor") as answer:
        events = [line for line, _ in zip(answer.iter_lines(), range(4), strict=False)]

    assert events[0] == "event: init"
    assert '"history":[' in events[1]
    assert events[3] == "event: sample"


def test_existence_is_told_by_put(http: httpx.Client) -> None:
    """An empty 405 where a route is, an HTML page where none is; nothing is done."""
    exists, absent = http.put("/api/queue/zz/start"), http.put("/api/queue/zz/nothing")

    assert (exists.status_code, exists.content) == (405, b"")
    assert absent.status_code == 404
    assert absent.headers["content-type"].startswith("text/html")
    assert "zz" not in http.get("/api/queue").text
    http.head("/api/queue/zz/start")
    assert "zz" in http.get("/api/queue").text


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (f"Bearer {TOKEN}", 200),
        (f"Basic {TOKEN}", 200),
        (f"bearer {TOKEN} junk", 200),
        (TOKEN, 401),
        (f"Bearer  {TOKEN}", 401),
        ("Bearer wrong", 401),
    ],
)
def test_tokens(guarded: httpx.Client, header: str, status: int) -> None:
    """The second word counts, and nothing else."""
    assert guarded.get("/api/auth", headers={"authorization": header}).status_code == status


def test_what_is_public_with_a_token(guarded: httpx.Client) -> None:
    """Reads below the two prefixes and pages are public; writes there are not, unlike upstream."""
    assert guarded.get("/api/img/x").text == "Access denied"
    assert guarded.head("/api/files/x").status_code == 403
    assert '"authRequired":true' in guarded.get("/jobs").text
    assert guarded.get("/api/nothing").json() == {"error": "Unauthorized"}
    for path in ("/api/img/upload", "/api/img/delete", "/api/img/caption", "/api/files/delete"):
        assert guarded.post(path, json={"filePath": "x"}).status_code == 401
    big = {"files": ("a.png", b"x" * 3_000_000)}
    assert guarded.post("/api/datasets/upload", files=big).status_code == 401
    assert guarded.options("/api/jobs").status_code == 401


def test_the_environment_sets_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """`AI_TOOLKIT_AUTH` belongs to the client's process."""
    monkeypatch.setenv("AI_TOOLKIT_AUTH", "secret")
    with demo.start() as server:
        assert httpx.get(f"{server.url}/api/jobs").status_code == 200


def test_a_token_does_not_show() -> None:
    """The repr tells address and folder only."""
    with demo.start(token=TOKEN) as server:
        assert TOKEN not in repr(server)
        assert server.url in repr(server)


def test_stop_leaves_nothing(tmp_path: Path) -> None:
    """The temporary folder, the threads and the port are gone; a given folder is kept."""
    before = set(threading.enumerate())
    servers = [demo.start(), demo.start(tmp_path / "kept")]
    for server in servers:
        server.stop()
        server.stop()

    assert not servers[0].data.exists()
    assert (tmp_path / "kept" / "aitk_db.db").exists()
    with pytest.raises(httpx.ConnectError):
        httpx.get(servers[0].url)
    after = set(threading.enumerate()) - before
    assert not [thread for thread in after if thread.name.startswith("aitk-nb")]


def test_shared_servers(tmp_path: Path) -> None:
    """One per address; other addresses are refused; a stopped one is replaced."""
    first = demo.shared(f"demo:{tmp_path}")
    assert demo.shared(f"demo:{tmp_path}/.") is first
    with pytest.raises(demo.FolderInUse):
        demo.start(tmp_path)
    first.stop()
    second = demo.shared(f"demo:{tmp_path}")
    assert second is not first
    second.stop()
    with pytest.raises(ValueError, match="demo:"):
        demo.shared("http://x")


def test_a_port_in_use_is_told() -> None:
    """The error names the address, and nothing is left behind."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(OSError, match=f"127.0.0.1:{port}"):
            demo.start(port=port)


def test_the_end_of_the_process_stops_all(tmp_path: Path) -> None:
    """A process that just ends removes its temporary folder; a fork of it does not."""
    code = (
        "import os, sys, aitk_nb.demo as demo\n"
        "server = demo.shared()\n"
        "if os.fork() == 0: sys.exit()\n"
        "os.wait()\n"
        "assert server.data.exists()\n"
        "sys.stdout.write(str(server.data))\n"
    )
    env = {**os.environ, "PYTHONWARNINGS": "ignore"}
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=env
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert not Path(run.stdout).exists()


def test_importing_is_light() -> None:
    """No web framework is loaded before a server starts."""
    heavy = "{'starlette', 'uvicorn', 'numpy', 'PIL', 'asyncio'}"
    code = f"import sys, aitk_nb.demo; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_gzip_is_what_the_client_sees() -> None:
    """The packed list is real gzip, not only a header."""
    with demo.start() as server:
        url, ask = f"{server.url}/api/datasets/listImages", {"datasetName": ""}
        packed = {"accept-encoding": "gzip"}
        with httpx.stream("POST", url, headers=packed, json=ask) as answer:
            raw = b"".join(answer.iter_raw())
    assert b'"images":[]' in gzip.decompress(raw)


def test_small_answers_come_at_once() -> None:
    """Asyncio switches Nagle's algorithm off, 40 ms an answer, where it knows the protocol."""
    with serving.listen(0) as listener:
        assert socket.IPPROTO_TCP == listener.proto
