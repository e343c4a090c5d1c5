"""Addresses, credentials and the embedded server behind `demo:`."""

from typing import TYPE_CHECKING

from aitk_nb._lazy import lazy

if TYPE_CHECKING:
    from aitk_nb.connection.connection import Connection as Connection
    from aitk_nb.connection.secret import Secret as Secret
    from aitk_nb.connection.secret import ask_login as ask_login
    from aitk_nb.connection.secret import ask_secret as ask_secret

__getattr__, __dir__, __all__ = lazy(__name__)
