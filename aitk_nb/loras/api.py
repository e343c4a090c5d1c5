"""`client.loras`: the LoRA files that the server has, and one more from here."""

from __future__ import annotations

import re
from pathlib import Path

from aitk_nb._display.progress import ProgressOption, reporting
from aitk_nb.backends.base import Backend, Upload
from aitk_nb.errors import BadInput
from aitk_nb.lora.safetensors_file import read_header
from aitk_nb.models.lora import ServerLora


class Loras:
    """LoRA files of the server: those of its jobs, and those of its own folder.

    The server has no request that deletes one of its folder, and none that reads one back.

    Example:
        >>> sent = client.loras.upload(job.download().path, "sent")
        >>> sent.name in [lora.name for lora in client.loras.list()]
        True
    """

    def __init__(self, backend: Backend) -> None:
        """Use `backend`; nothing is sent until the first call."""
        self._backend = backend

    def __repr__(self) -> str:
        return f"<Loras on {self._backend.url}>"

    def list(self) -> tuple[ServerLora, ...]:
        """Return those of the jobs, newest first, then those of the server's own folder.

        Raises:
            NotSupported: The server can't list them: `client.can(Ability.LORAS)` is false.
        """
        return self._backend.loras.list()

    def upload(
        self,
        file: str | Path,
        name: str = "",
        *,
        overwrite: bool = False,
        progress: ProgressOption = "auto",
    ) -> ServerLora:
        """Send a LoRA to the server's folder, in chunks, each until it has arrived.

        If that fails or is interrupted, the next call with the same file goes on where it ended,
        as long as the server keeps what it has: about a day.

        Args:
            file: A .safetensors file.
            name: Its name on the server, by default the file's; what is not ASCII becomes `_`.
            overwrite: Replace another file of that name.
            progress: Called with the bytes done and the bytes in total, from any thread; by default
                a bar, in notebooks and terminals only. None shows nothing.

        Returns:
            The file as the server lists it, of the right size.

        Raises:
            BadInput: It is not a complete .safetensors file.
            Rejected: The server has a file of that name, with status 409, or refused otherwise.
            TransferFailed: It did not arrive complete.
            NotSupported: The server takes no LoRAs.
        """
        path = Path(file).expanduser()
        # The server lists only what ends in lower case.
        stem = re.sub(r"(?i)\.safetensors$", "", (name or path.name).strip())
        try:
            size = path.stat().st_size
            with path.open("rb") as stream:
                # The header tells the size, so that half a file is not sent.
                read_header(lambda _, length: stream.read(length), size, str(path))
        except OSError as exc:
            raise BadInput(f"{path} can't be read: {exc.strerror or exc}.") from exc
        upload = Upload(path, f"{stem}.safetensors", size)
        with reporting(progress, "uploading") as report:
            return self._backend.loras.upload(upload, report, overwrite=overwrite)
