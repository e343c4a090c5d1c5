"""What the package exports; `_lazy` reads it, as type checkers do."""

from aitk_nb.losses.files import from_log as from_log
from aitk_nb.losses.history import LossHistory as LossHistory
from aitk_nb.losses.smoothing import Steps as Steps
from aitk_nb.losses.smoothing import Values as Values
from aitk_nb.losses.summary import LossSummary as LossSummary
from aitk_nb.losses.summary import diverged_step as diverged_step
from aitk_nb.losses.summary import outcome as outcome
from aitk_nb.losses.summary import usual_level as usual_level
