"""The plugin contract: hooks, the Protocols of what they register, and the loader that isolates failures."""
