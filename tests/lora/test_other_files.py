"""A file that is not a safetensors file is told by its first bytes, with what to do."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest
from safetensors.numpy import save

from aitk_nb.errors import BadInput
from aitk_nb.lora import api
from tests.cli.command import run

if TYPE_CHECKING:
    from pathlib import Path

SOUND = save({"q.lora_A.weight": np.ones((4, 8)), "q.lora_B.weight": np.ones((8, 4))})


def zipped() -> bytes:
    """Return what `torch.save` writes: a zip archive with a pickle in it."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("lora/data.pkl", pickle.dumps({"lora_up.weight": [1.0]}))
    return target.getvalue()


FILES = {
    "lfs": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
        "but a Git LFS pointer: run 'git lfs pull'",
    ),
    "page": (b"<!DOCTYPE html>\n<html><title>Sign in</title>", "but a web page"),
    "page without a type": (b'\n  <html lang="en"><body>404', "but a web page"),
    "XML error": (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "a web page"),
    "JSON error": (b'{"error":"Invalid credentials in Authorization header"}', "but JSON text"),
    "short JSON": (b"{}", "but JSON text"),
    "pickle 2": (pickle.dumps({"a": 1}, protocol=2) + b"x" * 90, "but a pickle"),
    "pickle 4": (pickle.dumps({"a": [1.0] * 90}, protocol=4), "but a pickle"),
    "zip": (zipped(), "but a zip archive"),
    "gzip": (gzip.compress(SOUND * 9, mtime=0), "but compressed, as by gzip"),
    "long gzip": (gzip.compress(SOUND, mtime=0) + b"x" * 700_000, "but compressed, as by gzip"),
    "7z": (b"7z\xbc\xaf\x27\x1c" + b"\0" * 90, "but compressed"),
    "GGUF": (b"GGUF\x03\0\0\0" + b"\0" * 90, "but a GGUF file"),
    "preview": (b"\x89PNG\r\n\x1a\n" + b"\0" * 90, "but a picture"),
    "nothing": (b"", "but empty"),
    "zeros": (b"\0" * 4096, "zeros only"),
    "text": (b"my LoRA, version 3, with captions", "its header would have"),
    "cut in its header": (SOUND[:60], "is incomplete: it has 60 bytes"),
    "cut in its data": (SOUND[:-1], "Download it again"),
}


@pytest.mark.parametrize(("content", "told"), FILES.values(), ids=FILES.keys())
def test_it_is_told_by_its_first_bytes(tmp_path: Path, content: bytes, told: str) -> None:
    """One sentence, which names the file."""
    path = tmp_path / "mine.safetensors"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=r"mine\.safetensors is ") as refusal:
        api.inspect_lora(path)
    assert told in str(refusal.value)


def test_a_length_that_looks_like_another_format(tmp_path: Path) -> None:
    """A header of 0x280 bytes begins as a pickle does, and is one of a LoRA all the same."""
    header = SOUND[8 : 8 + struct.unpack("<Q", SOUND[:8])[0]]
    path = tmp_path / "mine.safetensors"
    path.write_bytes(struct.pack("<Q", 0x280) + header.ljust(0x280) + SOUND[8 + len(header) :])
    assert api.inspect_lora(path).ok


def test_the_command_tells_what_is_wrong(tmp_path: Path) -> None:
    """Exit code 2 for what is not such a file, 1 for one that is not sound."""
    path = tmp_path / "mine.safetensors"
    path.write_bytes(FILES["lfs"][0])
    assert "git lfs pull" in run("lora", path, code=2).err
    path.write_bytes(save({"q.lora_A.weight": np.ones((4, 8)), "k.diff": np.ones((4, 8))}))
    done = run("lora", path, "--json", code=1)
    assert "is not a sound LoRA. 1 layer without up (B): 'q'." in done.err
    assert done.json["kind"] == "LoRA + full difference"
    assert done.json["scale"] is None
