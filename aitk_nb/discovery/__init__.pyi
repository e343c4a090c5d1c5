"""What the package exports; `_lazy` reads it, as type checkers do."""

from aitk_nb.discovery.api import discover as discover
from aitk_nb.discovery.report import DiscoveryReport as DiscoveryReport
