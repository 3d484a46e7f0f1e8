"""What an engine says beside its containers' logs: events and samples, into the lake's state tables."""
