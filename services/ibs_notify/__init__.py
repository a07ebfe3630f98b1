"""IBS Notifications: who hears of each backup event, and the proof that they did."""
