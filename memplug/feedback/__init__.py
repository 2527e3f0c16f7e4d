"""Corrections in plain words: what they say is wrong, and what is right instead. Rules only, no model."""
