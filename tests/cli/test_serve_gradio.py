"""`aitk-nb serve --flavour gradio`: an address, a login that is demanded, and one sentence else."""

from __future__ import annotations

from pathlib import Path

import httpx
import psutil
import pytest

from aitk_nb.demo import GradioServer
from tests import gradio_servers
from tests.cli.command import run, served
from tests.datasets.pictures import add

SECRETS = {"WHO": "somebody", "WORD": "a password of the tests"}
GRADIO = ("--flavour", "gradio")


def test_it_serves_and_asks_for_the_login(tmp_path: Path) -> None:
    """The address comes first on stdout; the login is that of the variables, and not in argv."""
    options = (*GRADIO, "--user-env", "WHO", "--password-env", "WORD")
    with served(tmp_path, *options, env=SECRETS) as (url, process):
        closed = httpx.get(f"{url}/config", trust_env=False)
        form = {"username": SECRETS["WHO"], "password": SECRETS["WORD"]}
        with httpx.Client(base_url=url, trust_env=False) as client:
            login = client.post("/login", data=form)
            config = client.get("/config")
        ours = psutil.Process(process.pid)
        words = [word for p in (ours, *ours.children(recursive=True)) for word in p.cmdline()]

    assert (401, 200, 200) == (closed.status_code, login.status_code, config.status_code)
    assert config.json()["version"].startswith("6.")
    assert "--password-env" in words
    assert not [word for word in words if SECRETS["WORD"] in word]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ((*GRADIO, "--token-env", "X"), "--token-env is for the web UI only."),
        (("--user-env", "X"), "--user-env is for the Gradio app only."),
        (("--password-env", "X"), "--password-env is for the Gradio app only."),
        ((*GRADIO, "--user-env", "WHO"), "--user-env and --password-env go together"),
        (
            (*GRADIO, "--user-env", "a name", "--password-env", "hunter2"),
            "and both variables must be set. The options take the names",
        ),
        ((*GRADIO, "--data", __file__), "The embedded server cannot start: "),
    ],
)
def test_options_that_do_not_fit(options: tuple[str, ...], sentence: str) -> None:
    """One sentence each, and nothing that may be a password is shown."""
    ran = run("serve", *options, env=SECRETS, code=2)

    assert sentence in ran.err
    assert "hunter2" not in ran.err
    assert 1 == len(ran.err.splitlines())


def test_what_it_cannot_do_is_said_in_words_of_its_own(
    gradio_server: GradioServer, tmp_path: Path
) -> None:
    """Each says what to do instead, and nothing is asked first."""
    add(tmp_path / "refused", "a.png", "a.txt")
    training = ("train", "--name", "x", "--dataset", "refused")
    url = gradio_server.url
    run("dataset", "upload", tmp_path / "refused", "--url", url)
    said = [
        run(*args, "--url", url, code=1).err
        for args in (
            ("dataset", "verify", tmp_path / "refused"),
            ("dataset", "download", "refused", "--out", tmp_path / "out"),
            ("dataset", "captions", "refused", "--write"),
            ("dataset", "delete", "refused"),
            (*training, "--dry-run"),
        )
    ]
    assert "[y/N]" not in said[3]
    checked = run(*training, "--preflight", "--url", url)

    for err, what, instead in zip(
        said,
        (
            "compare a dataset",
            "send a dataset back",
            "caption its",
            "delete a",
            "list the requests",
        ),
        (
            "Upload the folder again",
            "Use the folder",
            "describe",
            "Its datasets are hidden in sessions",
            "--preflight",
        ),
        strict=True,
    ):
        assert f"A Gradio server cannot {what}" in err
        assert instead in err
    assert checked.out
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_job_that_waits_is_not_lost_by_the_end_of_the_command(
    photos: Path, tmp_path: Path
) -> None:
    """`train` without `--wait` goes on until the job has begun, and says so."""
    with gradio_servers.server("6", tmp_path, step_seconds=0.02) as server:
        run("dataset", "upload", photos, "--name", "photos", "--url", server.url)
        train = ("train", "--dataset", "photos", "--url", server.url)
        run(*train, "--name", "first", "--steps", "100")
        second = run(*train, "--name", "second", "--steps", "5")
        listed = run("jobs", "--url", server.url).out
        assert "A job that waits is lost when this command ends" in second.err
        run("watch", "second", "--url", server.url)

    assert "second" in listed
    assert list(tmp_path.glob("gradio/aitk-*/first/first.safetensors"))
    assert list(tmp_path.glob("gradio/aitk-*/second/second.safetensors"))
