"""`JobFiles`: the checkpoints of a job, and what is brought here of it."""

from collections.abc import Iterable
from pathlib import Path

from aitk_nb._display.progress import ProgressOption
from aitk_nb.jobs.bundle_file import BundleFile
from aitk_nb.jobs.checkpoints import Which, chosen, local_name, program_folder, saved_steps
from aitk_nb.jobs.downloads import Downloads, Wanted
from aitk_nb.jobs.hub import HubPush, prepared, send
from aitk_nb.jobs.outputs import JobOutputs
from aitk_nb.lora.api import LoraReport, inspect_lora
from aitk_nb.models import Ability, DownloadReport, JobState, RemoteFile, Sample, safe_file_name


class JobFiles(JobOutputs):
    """Lists, inspects and downloads the files of one job."""

    def files(self) -> tuple[RemoteFile, ...]:
        """Return the files of the checkpoints and of the optimizer state, with sizes in bytes.

        Raises:
            NotSupported: The server does not list files.
        """
        return self._backend.list_files(self.state)

    def checkpoints(self) -> tuple[int, ...]:
        """Return the steps of the checkpoints that the server still has."""
        files = self.files() if self.can(Ability.FILES) else ()
        return saved_steps(self._latest, files)

    @property
    def _latest(self) -> JobState:
        # The last file has no number in its name: it was saved at the step of now.
        return self.state if self.state.status.is_final else self.refresh()

    def download(
        self,
        folder: str | Path = ".",
        which: Which | RemoteFile | Sample = "final",
        *,
        samples: bool = True,
        config: bool = True,
        to: str = "",
        name: str = "",
        progress: ProgressOption = "auto",
    ) -> DownloadReport:
        """Download checkpoints with the job's samples and its config, each file once.

        `aitk-download.json` in the folder records the SHA-256 of each file. A second call, also of
        another kernel, compares the files with it and with the server, and fetches only the rest. A
        checkpoint that is still being written is waited for.

        Args:
            folder: Where to write. Another file of the same name is kept under a new name.
            which: `"final"`: the final LoRA, or the newest checkpoint while there is none. `"all"`.
                `"best"`: the one whose `val/loss` is lowest, by more than its spread. A list of
                steps. Or one of `files()` or `samples()`, or its name, without anything else.
            samples: Bring the samples, into the folder `<job>_samples`.
            config: Bring the config, as the job file `<job>.yaml`.
            to: `"comfyui:PATH"` or `"a1111:PATH"`, with the folder of that program: checkpoints
                alone are written where it looks for LoRAs, instead of to `folder`.
            name: Name of the checkpoints here, in the place of the job's.
            progress: Called with the bytes done and the bytes in total; by default a bar, in
                notebooks and terminals only. None shows nothing.

        Returns:
            The path of the last checkpoint, and the SHA-256 of all files.

        Raises:
            NotFound: The job has no such file or checkpoint, or no LoRA yet.
            BadInput: No checkpoint is clearly the best, `name` can't be a file name, or there is
                not enough space.
            AitkError: A download failed; nothing is left under the final name.

        Example:
            >>> sorted(job.download("loras", "all").files)
            ['loras/cat.safetensors', 'loras/cat.yaml']
        """
        target = program_folder(to) if to else Path(folder).expanduser()
        downloads = Downloads(self._backend, self.state, target, self._clock, self._sleep)
        if isinstance(which, RemoteFile | Sample):
            return downloads.fetch([Wanted(which, safe_file_name(which.name))], progress)
        losses = self.losses() if which == "best" else None
        found = chosen(which, self._latest, self.files(), losses)
        wanted = [Wanted(one, local_name(one, self.name, name)) for one in found]
        alone = bool(to) or which == found[0].name
        if samples and not alone:
            wanted += downloads.samples()
        return downloads.fetch(wanted, progress, config=config and not alone)

    def export(
        self,
        path: str | Path,
        *,
        images: bool = False,
        samples: bool = True,
        progress: ProgressOption = "auto",
    ) -> Path:
        """Write what is needed to train this job again elsewhere to one zip.

        It holds the job file, the parameters, the captions and the SHA-256 of every file of the
        datasets, the losses, the samples, the notes, and the name and SHA-256 of the LoRA.
        `aitk_nb.open_bundle` opens it.

        Args:
            path: The zip to write.
            images: Put the files of the datasets into it too.
            samples: Put the samples into it.
            progress: Called with the bytes of the datasets read and in total; by default a bar, in
                notebooks and terminals only. None shows nothing.

        Returns:
            The path of the zip.

        Raises:
            BadInput: The config has `${NAME}` in it, for which the server puts a value of its own
                environment; or the zip can't be written.
            NotSupported: The server does not show what is in a dataset.

        Example:
            >>> job.export("cat.zip").name
            'cat.zip'
        """
        bundle = BundleFile(self._backend, self._latest, self.losses)
        return bundle.write(path, progress, images=images, samples=samples)

    def inspect_lora(self, which: str | Iterable[int] = "final") -> LoraReport:
        """Return what a checkpoint on the server contains, of which only the header is read.

        Args:
            which: As for `download`; of several the last one.

        Returns:
            What the header says; `finite` and `zero_tensors` are None.

        Raises:
            NotFound: The job has no such checkpoint.
            BadInput: It is not a safetensors file, or is incomplete.
            UnexpectedReply: The server, or a gateway, sends whole files only; nothing was read.

        Example:
            >>> job.inspect_lora().rank
            16
        """
        losses = self.losses() if which == "best" else None
        remote = chosen(which, self._latest, self.files(), losses)[-1]
        with self._backend.open_range(remote.path) as read:
            return inspect_lora(read, size=remote.size, name=remote.name)

    def push_to_hub(
        self,
        repo: str,
        which: Which = "final",
        folder: str | Path = ".",
        *,
        samples: bool = True,
        private: bool = True,
        dry_run: bool = True,
        progress: ProgressOption = "auto",
    ) -> HubPush:
        """Send a checkpoint to the Hugging Face Hub, with its config, samples and a model card.

        They are downloaded first, as by `download`. The token is that of `hf auth login`, or of
        HF_TOKEN; it goes from there to the Hub, and nowhere else.

        Args:
            repo: The repository, as `user/name`; it is made if there is none.
            which: As for `download`.
            folder: Where the files are written here.
            samples: Send the samples too.
            private: Make the repository private, if this makes it.
            dry_run: Show what would be sent; nothing is sent.
            progress: As for `download`.

        Returns:
            The files and the card; its `url` once it was sent.

        Raises:
            BadInput: `repo` is no name of a repository, or nobody is logged in.
            MissingExtra: huggingface_hub is not installed.
            AitkError: The Hub refused it; a commit is made whole or not at all.

        Example:
            >>> job.push_to_hub("me/cat").private
            True
        """
        report = self.download(folder, which, samples=samples, progress=progress)
        push = prepared(repo, self.state, report, private=private)
        return push if dry_run else send(push)
