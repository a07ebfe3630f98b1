"""Digests: windows that gather, when they close, and the deliveries that are made of them.

``windows`` and ``calendar`` decide, the ``scheduler`` closes, the ``maker`` has the digest made.
What one says is in ``reports``.
"""
