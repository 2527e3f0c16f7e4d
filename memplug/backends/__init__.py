"""Where records are kept: LanceDB on disk, and the same semantics in memory."""
