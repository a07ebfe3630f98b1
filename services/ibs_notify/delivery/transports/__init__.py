"""How a message reaches its peer: one attempt at a time, with one Outcome each.

``base`` is the contract. Retry, timing and persistence live in the dispatcher, never here.
"""
