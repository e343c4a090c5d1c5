"""Authentication of a server: whether it lets you in, and what is unsafe about it."""

from typing import TYPE_CHECKING

from aitk_nb._lazy import lazy

if TYPE_CHECKING:
    from aitk_nb.auth.api import check_auth as check_auth
    from aitk_nb.auth.report import AuthReport as AuthReport

__getattr__, __dir__, __all__ = lazy(__name__)
