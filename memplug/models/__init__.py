"""Chat models: what memplug asks where the user configured one. Each module is imported only when it is needed."""
