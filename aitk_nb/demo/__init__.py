"""A training server on loopback: `start()` one, or share the one of this process.

Importing this loads nothing but the standard library; the web framework comes with `start`.
"""

from aitk_nb.demo.lock import FolderInUse
from aitk_nb.demo.server import DemoServer, shared, start

__all__ = ["DemoServer", "FolderInUse", "shared", "start"]
