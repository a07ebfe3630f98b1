"""Metric servers beyond one attempt: the totals that are counted once, and the groups on gateways.

How they are sent to is in ``transports``.
"""
