"""What the package exports; `_lazy` reads it, as type checkers do."""

from aitk_nb.discovery.snippets.api import LANGUAGES as LANGUAGES
from aitk_nb.discovery.snippets.api import snippet as snippet
from aitk_nb.discovery.snippets.api import typescript_client as typescript_client
from aitk_nb.discovery.snippets.operations import has_operation as has_operation
