"""What the package exports; `_lazy` reads it, as type checkers do."""

from aitk_nb.connection.connection import Connection as Connection
from aitk_nb.connection.connection import ConnectionOptions as ConnectionOptions
from aitk_nb.connection.connection import Credentials as Credentials
from aitk_nb.connection.connection import hidden as hidden
from aitk_nb.connection.embedded import locate as locate
from aitk_nb.connection.secret import Secret as Secret
from aitk_nb.connection.secret import ask_login as ask_login
from aitk_nb.connection.secret import ask_secret as ask_secret
