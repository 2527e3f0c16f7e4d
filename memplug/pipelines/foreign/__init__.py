"""Exports of other systems: mem0's memories, ChatGPT's and Claude's conversations."""
