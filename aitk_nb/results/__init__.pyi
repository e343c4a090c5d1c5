"""What the package exports; `_lazy` reads it, as type checkers do."""

from aitk_nb.results.api import TriesLoras as TriesLoras
from aitk_nb.results.bundle import Bundle as Bundle
from aitk_nb.results.bundle import open_bundle as open_bundle
from aitk_nb.results.safe_to_stop import SafeToStop as SafeToStop
