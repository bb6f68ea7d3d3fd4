"""One effect each."""

from callbacks.base import VideoCallback
from callbacks.results_writer import ResultsWriter

ALWAYS = {"results": ResultsWriter}
"""Callbacks that every run has, by the flag that sets them."""

__all__ = ["ALWAYS", "ResultsWriter", "VideoCallback"]
