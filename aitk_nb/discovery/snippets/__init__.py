"""Programs that call what a server offers, in five languages, ready to run."""

from typing import TYPE_CHECKING

from aitk_nb._lazy import lazy

if TYPE_CHECKING:
    from aitk_nb.discovery.snippets.api import LANGUAGES as LANGUAGES
    from aitk_nb.discovery.snippets.api import snippet as snippet
    from aitk_nb.discovery.snippets.api import typescript_client as typescript_client
    from aitk_nb.discovery.snippets.operations import has_operation as has_operation

__getattr__, __dir__, __all__ = lazy(__name__)
