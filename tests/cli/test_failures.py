"""Bad input, bad servers and bad luck: one clear sentence, the documented code, no traceback."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import run, run_process, served
from tests.proxy import FaultProxy

PARAMS = ("--name", "failing", "--dataset", "plain", "--resolution", "64", "--rank", "2")
TRAIN = ("train", *PARAMS, "--steps", "5", "--wait", "--every", "0.2")


@pytest.fixture
def web_page(url: str) -> Iterator[str]:
    """The address of a server that answers everything with a web page."""
    with FaultProxy(url) as proxy:
        proxy.answer(".*", ".*", 200, {"Content-Type": "text/html"}, b"<h1>hello</h1>")
        yield proxy.url


@pytest.mark.parametrize(
    "args",
    [
        ["jobs", "--json"],
        ["train", *PARAMS],
        ["download", "any"],
        ["demo", "--out", "runs"],
    ],
    ids=" ".join,
)
def test_nobody_answers(args: list[str], nobody: str, tmp_path: Path) -> None:
    """Exit code 3, and the address in the sentence."""
    ran = run(*args, "--url", nobody, code=3, cwd=tmp_path)

    assert "" == ran.out
    assert f"aitk-nb: Can't reach {nobody}" in ran.err
    assert 1 == len(ran.err.splitlines())
    assert [] == list(tmp_path.iterdir())


def test_it_is_no_training_server(web_page: str) -> None:
    """Exit code 3 as well: there is nothing to speak to, or not yet."""
    ran = run("jobs", "--url", web_page, code=3)

    assert "not a training server" in ran.err


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["train", *PARAMS, "--steps", "0"], "steps: '0' should be greater than or equal to 1"),
        (["train", *PARAMS, "--steps", "many"], "steps: 'many' should be a valid integer"),
        (["train", *PARAMS, "--extra", "a: ["], "extra"),
        (["train", "--dataset", "plain"], "--name"),
        (["train", "--params", "nowhere.yaml"], "Can't read nowhere.yaml"),
        (["train", "--params", __file__], "is not a job config"),
        (["train", "--name", "../up", "--dataset", "plain"], "name"),
        (["train", *PARAMS, "--stepps", "3"], "--steps"),
        (["jobs", "--url", "ftp://x"], "http://"),
        (["jobs", "--ca", "nowhere.pem"], "nowhere.pem"),
        (["jobs", "more"], "more"),
        (["lora", "nowhere.safetensors"], "nowhere.safetensors"),
        (["lora", __file__], "safetensors"),
        (["serve", "--port", "70000"], "--port"),
        (["serve", "--data", __file__], "cannot start"),
        (["jobs", "--url", f"demo:{__file__}"], "cannot start"),
        (["losses"], "job"),
        (["nonsense"], "nonsense"),
    ],
    ids=lambda value: " ".join(value)[-40:] if isinstance(value, list) else "",
)
def test_what_was_given_cannot_be_used(args: list[str], says: str, nobody: str) -> None:
    """Exit code 2, found before any server is asked."""
    ran = run(*args, env={"AITK_URL": nobody}, code=2)

    assert says in ran.err
    assert "" == ran.out


@pytest.mark.parametrize(("args", "code"), [(["params", *PARAMS], 0), (["lora", "nowhere"], 2)])
def test_signals_do_afterwards_what_they_did_before(args: list[str], code: int) -> None:
    """A command that is done, or refused, leaves none of its own handlers."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]

    run(*args, code=code)

    assert before == [signal.getsignal(number) for number in numbers]


def test_folders_that_are_no_dataset(url: str, tmp_path: Path) -> None:
    """Exit code 2: a folder without images, one that is not there, one with a broken image."""
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.png").write_bytes(b"no image")
    (tmp_path / "empty").mkdir()
    for folder in ("empty", "missing", "broken"):
        ran = run("dataset", "upload", tmp_path / folder, "--url", url, "--json", code=2)

        assert "is not a valid dataset" in ran.err
        assert ("aitk-nb dataset fix" in ran.err) is (folder == "broken")
        assert "" == ran.out
    assert "broken" not in run("dataset", "list", "--url", url).out


def test_other_files_under_the_same_names(
    url: str, dataset: str, photos: Path, tmp_path: Path
) -> None:
    """Nothing is overwritten unless that is asked for."""
    for file in photos.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "photo_00.txt").write_text("another caption")
    upload = ("dataset", "upload", tmp_path, "--name", "changing", "--url", url, "--json")
    run("dataset", "upload", photos, "--name", "changing", "--url", url)

    ran = run(*upload, code=2)

    assert "photo_00.txt" in ran.err
    assert "--if-differs", "replace" in ran.err
    replaced = run(*upload, "--if-differs", "replace").json
    assert (1, 23) == (replaced["sent"], replaced["kept"])


@pytest.fixture(scope="module")
def job(url: str, dataset: str) -> str:
    """The name of a job that has completed."""
    return str(run(*TRAIN, "--url", url).out.strip())


def test_another_config_under_the_same_name(url: str, job: str) -> None:
    """Exit code 1; the sentence says what differs and what to do."""
    other = (*TRAIN, "--seed", "43", "--url", url)

    ran = run(*other, code=1)

    assert "another config" in ran.err
    assert "seed" in ran.err
    assert f"{job}_2" == run(*other, "--if-exists", "new").out.strip()


@pytest.mark.parametrize("command", ["watch", "stop", "losses", "download"])
def test_unknown_jobs(command: str, url: str, job: str) -> None:
    """Exit code 1; the sentence lists those that there are."""
    ran = run(command, "nobody", "--url", url, code=1)

    assert "no job named 'nobody'" in ran.err
    assert job in ran.err


def test_an_unknown_dataset(url: str, dataset: str) -> None:
    """Exit code 1, at once and not in the trainer minutes later."""
    ran = run("train", "--name", "x", "--dataset", "elsewhere", "--url", url, code=1)

    assert "no dataset named 'elsewhere'" in ran.err
    assert dataset in ran.err


def test_a_training_that_fails_on_the_server(url: str, dataset: str) -> None:
    """`--wait` ends with code 1 and the server's reason; the job is told all the same."""
    config = "config: {process: [{network: {type: unheard-of}}]}"
    train = ("train", "--name", "unlucky", "--dataset", dataset, "--url", url, "--extra", config)

    ran = run(*train, "--wait", "--every", "0.2", "--json", code=1)

    assert "error" == ran.json["status"]
    assert "unlucky ended as error" in ran.err
    assert 1 == run("watch", "unlucky", "--url", url, code=1).code


@pytest.mark.skipif(os.name != "posix", reason="limits of a process are POSIX")
def test_no_space_left_while_downloading(url: str, job: str, tmp_path: Path) -> None:
    """A file that may not grow any more: nothing lies under its name, and no half of it."""
    limited = (
        "import resource, runpy, signal, sys; "
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)); "
        "sys.argv[0] = 'aitk-nb'; runpy.run_module('aitk_nb.cli', run_name='__main__')"
    )

    given = ("download", job, "-o", tmp_path, "--url", url, "--json")
    ran = run_process(*given, code=2, start=(sys.executable, "-c", limited))

    assert "failing.safetensors can't be written: File too large" in ran.err
    assert "" == ran.out
    assert [] == list(tmp_path.iterdir())
    run("download", job, "-o", tmp_path, "--url", url)
    made = ["aitk-download.json", "failing.safetensors", "failing.yaml"]
    assert made == sorted(path.name for path in tmp_path.iterdir())


def test_the_folder_of_a_running_server(url: str, tmp_path: Path) -> None:
    """A second server on one folder would start every job twice."""
    with served(tmp_path):
        ran = run("serve", "--data", tmp_path, code=2)

    assert "already works on" in ran.err


def test_only_the_server_knows_its_architectures(url: str) -> None:
    """One that is unknown here is refused once the server does not list it either."""
    ran = run("train", *PARAMS, "--arch", "flux1x", "--url", url, code=2)

    assert "unknown architecture 'flux1x'; did you mean 'flux'" in ran.err
