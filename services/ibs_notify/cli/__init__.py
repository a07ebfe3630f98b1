"""``ironcore-backup notification …``: a thin client of the three services."""
