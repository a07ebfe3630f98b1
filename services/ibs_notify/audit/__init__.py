"""The audit log of a service: who changed what, each entry chained to the one before it."""
