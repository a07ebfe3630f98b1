"""Service 3: a durable queue in front of every target, and the attempts that empty it."""
