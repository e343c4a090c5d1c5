"""What the package exports; `_lazy` reads it, as type checkers do."""

from aitk_nb.runpod.api import RunPod as RunPod
from aitk_nb.runpod.pod import Pod as Pod
