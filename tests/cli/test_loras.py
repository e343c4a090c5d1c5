"""`aitk-nb loras`: list and upload."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from aitk_nb import demo
from tests.cli.command import run


def test_a_lora_is_sent_and_listed(tmp_path: Path) -> None:
    """Its path there is on stdout; a second time needs --overwrite."""
    file = tmp_path / "mine.safetensors"
    save_file({"x.lora_A.weight": np.ones((2, 2), np.float32)}, file)
    with demo.start(tmp_path / "data") as server:
        at = ("--url", server.url)
        sent = run("loras", "upload", str(file), "--name", "sent", *at)
        path = tmp_path / "data" / "models" / "loras" / "sent.safetensors"
        assert str(path) == sent.out.strip()
        assert file.read_bytes() == path.read_bytes()

        again = run("loras", "upload", str(file), "--name", "sent", *at, code=1)
        assert "--overwrite" in again.err
        run("loras", "upload", str(file), "--name", "sent", "--overwrite", *at)

        (listed,) = json.loads(run("loras", "list", "--json", *at).out)
        assert ("sent.safetensors", "", str(path)) == tuple(
            listed[k] for k in ("name", "job", "path")
        )
        assert str(path) in run("loras", "list", *at).out
        (tmp_path / "half.safetensors").write_bytes(file.read_bytes()[:-1])
        run("loras", "upload", str(tmp_path / "half.safetensors"), *at, code=2)
