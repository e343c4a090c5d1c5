"""The server's own settings: `client.settings`."""

from dataclasses import dataclass

from aitk_nb._display import html
from aitk_nb.backends.base import Backend
from aitk_nb.connection.secret import Secret
from aitk_nb.errors import AitkError, BadInput

_FOLDERS = {
    "training_folder": "TRAINING_FOLDER",
    "datasets_folder": "DATASETS_FOLDER",
    "models_path": "MODELS_PATH",
}
_TOKEN = "HF_TOKEN"  # noqa: S105  (the name of a setting)


@dataclass(frozen=True, slots=True)
class SettingsState:
    """The server's settings, without secrets."""

    has_hf_token: bool
    """True if the server has a Hugging Face token, which is never shown."""
    training_folder: str
    """Folder on the server for outputs."""
    datasets_folder: str
    """Folder on the server for datasets."""
    models_path: str
    """Folder on the server for models."""

    def _repr_html_(self) -> str:
        token = "set" if self.has_hf_token else "not set; only gated models need one"
        return html.definition(
            [
                ("Hugging Face token", token),
                ("outputs", self.training_folder),
                ("datasets", self.datasets_folder),
                ("models", self.models_path),
            ],
            caption="Server settings",
        )


class ServerSettings:
    """Read and change the server's own settings; the token is never shown.

    Example:
        >>> client.settings.get().has_hf_token
        False
    """

    def __init__(self, backend: Backend) -> None:
        """Use `backend`; nothing is sent until the first call."""
        self._backend = backend

    def __repr__(self) -> str:
        return f"<ServerSettings of {self._backend.url}>"

    def get(self) -> SettingsState:
        """Return the current settings.

        Raises:
            NotSupported: The server has no settings.
        """
        values = self._backend.settings_store.read()
        folders = {field: str(values.get(name) or "") for field, name in _FOLDERS.items()}
        return SettingsState(bool(values.get(_TOKEN)), **folders)

    def set(
        self,
        *,
        hf_token: str | Secret | None = None,
        training_folder: str | None = None,
        datasets_folder: str | None = None,
        models_path: str | None = None,
    ) -> SettingsState:
        """Change settings; those that are omitted stay as they are.

        An empty text removes the token, or resets a folder to its default. The server does not
        check that a folder exists; a running training job keeps the ones it started with.

        Args:
            hf_token: Hugging Face token for gated models.
            training_folder: Folder on the server for outputs.
            datasets_folder: Folder on the server for datasets.
            models_path: Folder on the server for models.

        Returns:
            All settings afterwards.

        Raises:
            BadInput: The token is invalid.
            AitkError: The server did not store the token.
            NotSupported: The server has no settings.
        """
        given = {
            "TRAINING_FOLDER": training_folder,
            "DATASETS_FOLDER": datasets_folder,
            "MODELS_PATH": models_path,
            _TOKEN: None if hf_token is None else _token(hf_token),
        }
        del hf_token  # a traceback shows the values of variables
        store = self._backend.settings_store
        changes = {name: value for name, value in given.items() if value is not None}
        wanted = store.read() | changes
        store.write(wanted)
        after = store.read()
        if after.get(_TOKEN) != wanted[_TOKEN]:
            raise AitkError(
                "The server did not store the Hugging Face token. "
                "Someone may have changed it at the same time: try again."
            )
        return self.get()


def _token(token: str | Secret) -> Secret:
    secret = token if isinstance(token, Secret) else Secret(token.strip())
    if not secret.is_token:
        raise BadInput(
            "The Hugging Face token contains a space, a line break or a non-ASCII character."
        )
    return secret
