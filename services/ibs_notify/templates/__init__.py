"""Templates: a checked subset of Jinja's syntax, run by an evaluator of its own.

Jinja parses; nothing of Jinja renders. Every node of the syntax tree that is not on the list is
refused when the template is saved, the rest is typed and turned into closures, so that a template
that was saved cannot fail on any event but by the size of its result. No Python is generated from a
template and no attribute of an object can be reached.
"""
