"""memplug's readers under LlamaIndex's own name for readers; see `memplug.llamaindex`."""

from memplug.llamaindex import MemplugFileReader, MemplugReader

__all__ = ["MemplugFileReader", "MemplugReader"]
