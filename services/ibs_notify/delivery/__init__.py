"""Service 3: a durable queue in front of every target, and the attempts that empty it.

Begin with ``ports`` (what the parts promise each other) and ``model`` (what a delivery is). Then
follow one: ``servicer``, ``queue.intake``, ``sending.dispatcher``, ``sending.lane``,
``sending.sender``, a transport of ``transports``, ``sending.settle``, ``queue.claims``. May it be
sent? ``admission``; does its target work? ``targets.breaker``. ``app`` ties it all together.
"""
