"""The values that cross every border of memplug: frozen, keyword-only, free of any dependency."""
