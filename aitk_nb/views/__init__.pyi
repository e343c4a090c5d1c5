"""What the package exports; `_lazy` reads it, as type checkers do."""

from aitk_nb.pictures.drawing import Tile as Tile
from aitk_nb.pictures.grid import PictureGrid as PictureGrid
from aitk_nb.views.dataset_form.dataset_form import DatasetForm as DatasetForm
from aitk_nb.views.dataset_form.folders import DatasetChoice as DatasetChoice
from aitk_nb.views.forms.connection_form import ConnectionForm as ConnectionForm
from aitk_nb.views.forms.training_form import TrainingForm as TrainingForm
from aitk_nb.views.monitor.job_monitor import JobMonitor as JobMonitor
from aitk_nb.views.monitor.job_monitor import JobRecord as JobRecord
from aitk_nb.views.monitor.job_monitor import WatchingStopped as WatchingStopped
from aitk_nb.views.plots.bucket_plot import BucketFigure as BucketFigure
from aitk_nb.views.plots.bucket_plot import plot_buckets as plot_buckets
from aitk_nb.views.plots.contact_sheet import ContactSheet as ContactSheet
from aitk_nb.views.plots.contact_sheet import contact_sheet as contact_sheet
from aitk_nb.views.plots.lora_plot import LoraFigure as LoraFigure
from aitk_nb.views.plots.lora_plot import plot_lora as plot_lora
from aitk_nb.views.plots.loss_plot import LossFigure as LossFigure
from aitk_nb.views.plots.loss_plot import plot_loss as plot_loss
from aitk_nb.views.plots.sample_grid import sample_grid as sample_grid
from aitk_nb.views.saved_files import SavedFiles as SavedFiles
from aitk_nb.views.widgets import WaitingStopped as WaitingStopped
from aitk_nb.views.widgets import if_supported as if_supported
