"""The pipelines: raw input into records, queries into hits, and upkeep of whole stores."""
