"""Drawing fast: from a request to a stream of events."""
