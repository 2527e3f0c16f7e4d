"""From whatever a caller hands in to drafts: parts, their bytes, and the input types that parse them."""
