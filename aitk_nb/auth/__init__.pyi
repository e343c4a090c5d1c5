"""What the package exports; `_lazy` reads it, as type checkers do."""

from aitk_nb.auth.api import check_auth as check_auth
from aitk_nb.auth.report import AuthReport as AuthReport
