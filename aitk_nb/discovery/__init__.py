"""What a server offers: its endpoints, operations and era."""

from typing import TYPE_CHECKING

from aitk_nb._lazy import lazy

if TYPE_CHECKING:
    from aitk_nb.discovery.api import discover as discover
    from aitk_nb.discovery.report import DiscoveryReport as DiscoveryReport

__getattr__, __dir__, __all__ = lazy(__name__)
