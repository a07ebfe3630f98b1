"""What the pages of targets know of targets; nothing here answers a request."""
