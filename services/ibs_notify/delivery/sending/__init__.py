"""From the queue to an attempt, and what comes of it.

The ``dispatcher`` wakes a ``lane`` for each target, whose slots call the ``sender``; ``settle``
says what an outcome makes of a delivery.
"""
