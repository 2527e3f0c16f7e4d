"""Multimodal long-term memory for chat assistants."""
