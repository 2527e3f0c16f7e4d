"""Embedders: what turns words into vectors. Each module is imported only when its embedder is asked for."""
