"""Datasets on this machine: what a folder, zip or list holds, and what is wrong with it."""

from __future__ import annotations

from aitk_nb.local_dataset.buckets import BucketPlan
from aitk_nb.local_dataset.dataset import LocalDataset
from aitk_nb.local_dataset.demands import Demands
from aitk_nb.local_dataset.fixing import FixReport
from aitk_nb.local_dataset.pairs import Controls
from aitk_nb.local_dataset.problems import Code, Problem

__all__ = ["BucketPlan", "Code", "Controls", "Demands", "FixReport", "LocalDataset", "Problem"]
