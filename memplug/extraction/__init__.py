"""Facts out of what was said: what a model is asked, and what of its answer holds."""
