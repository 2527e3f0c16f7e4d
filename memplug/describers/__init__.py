"""Describers: what gives words to media. Each module is imported only when its describer is asked for."""
