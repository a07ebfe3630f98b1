"""Who hears of what, and what closes a gap."""
