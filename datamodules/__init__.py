"""One file per family of datasets."""

from datamodules.base import Data
from datamodules.shapes import Shapes

__all__ = ["Data", "Shapes"]
