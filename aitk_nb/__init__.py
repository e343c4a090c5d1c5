"""Train LoRAs on a remote AI Toolkit server from Jupyter.

>>> import aitk_nb
>>> client = aitk_nb.connect()
>>> dataset = client.datasets.upload(aitk_nb.example_photos(), "officers")
>>> params = aitk_nb.TrainingParams(name="officer", dataset=dataset.name, steps=20)
>>> job = client.jobs.start(params)
>>> job.wait(every=0.2).status
<JobStatus.COMPLETED: 'completed'>
"""

from aitk_nb._lazy import lazy

__getattr__, __dir__, __all__ = lazy(__name__)
