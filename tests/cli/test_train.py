"""`aitk-nb train` without starting anything: checks, and requests that are only listed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command import run


def test_a_check_tells_all_and_starts_nothing(url: str, dataset: str) -> None:
    """A table for people, one document for machines; remarks are among the checks."""
    given = [
        "--name",
        "checked",
        "--dataset",
        dataset,
        "--steps",
        "100",
        "--preflight",
        "--url",
        url,
    ]
    shown = run("train", *given)
    told = run("train", *given, "--json", "--price-per-hour", "2").json

    assert "No job is named 'checked' yet." in shown.out
    assert "there is no checkpoint before the end" in shown.out.lower()
    assert told["ok"] is True
    assert told["files"]
    assert {"name", "dataset", "needs", "base model", "GPU", "disk", "time"} <= {
        check["name"] for check in told["checks"]
    }
    assert "checked" not in run("jobs", "--url", url).out


def test_a_problem_is_an_exit_code(url: str) -> None:
    """The table comes all the same, and the last line says what is wrong."""
    given = ["--name", "checked", "--dataset", "nowhere", "--preflight", "--url", url]
    ran = run("train", *given, code=1)

    assert "no dataset named 'nowhere'" in ran.out
    assert "Preflight checks failed for checked: dataset." in ran.err


def test_a_dry_run_lists_requests_and_starts_nothing(url: str, dataset: str) -> None:
    """In the order in which they would be sent."""
    given = ["--name", "planned", "--dataset", dataset, "--steps", "5", "--dry-run", "--url", url]
    shown = run("train", *given)
    told = run("train", *given, "--json").json

    assert ["POST /api/jobs", "GET /api/jobs/NEW_ID/start", "GET /api/queue/0/start"] == [
        f"{request['method']} {request['path']}" for request in told["requests"]
    ]
    assert all(request["path"] in shown.out for request in told["requests"])
    assert "planned" == told["requests"][0]["body"]["job_config"]["config"]["name"]
    assert "note: save_every:" in shown.err
    assert "planned" not in run("jobs", "--url", url).out


@pytest.mark.parametrize(
    ("arch", "frames", "code", "says"),
    [
        ("wan22_14b:t2v", "num_frames: 1", 1, "no image in 'clips', only 2 videos"),
        ("wan22_14b:t2v", "", 1, "Set num_frames above 1 to train on videos"),
        ("wan22_14b:t2v", "num_frames: 33", 0, "has all it requires"),
        ("wan22_14b:t2v", "auto_frame_count: true", 0, "has all it requires"),
        ("sdxl", "num_frames: 1", 1, "no image in 'clips', only 2 videos"),
        ("zz_new", "", 1, "no image in 'clips', only 2 videos"),
    ],
)
def test_a_job_file_of_videos_alone(
    url: str, tmp_path: Path, arch: str, frames: str, code: int, says: str
) -> None:
    """The trainer looks for images where there is one frame, also when the file has no samples."""
    clips = tmp_path / "clips"
    clips.mkdir()
    for name in ("one", "two"):
        (clips / f"{name}.mp4").write_bytes(b"\0\0\0\x18ftypisom" + name.encode())
        (clips / f"{name}.txt").write_text("a dance")
    run("dataset", "upload", clips, "--url", url)
    file = tmp_path / "job.yaml"
    file.write_text(
        f"""job: extension
config:
  name: videos
  process:
    - type: diffusion_trainer
      network: {{type: lora, linear: 16, linear_alpha: 16}}
      datasets: [{{folder_path: datasets/clips, resolution: [512]{frames and ", " + frames}}}]
      train: {{steps: 20, lr: 1e-4}}
      model: {{name_or_path: some/model, arch: "{arch}"}}
"""
    )
    ran = run("train", "--params", file, "--preflight", "--url", url, code=code)
    assert says in " ".join(ran.out.split())
