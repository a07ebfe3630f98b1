"""The durable queue on a database, as plain SQL: what comes in, waits, goes out, ends, is kept.

``repository`` beside this folder commits it.
"""
