"""Words: how a text becomes the terms it is found by, and how well terms of a question fit a memory."""

from __future__ import annotations

from memplug.lexical.analyzer import analyze, query_terms

__all__ = ["analyze", "query_terms"]
