"""The web console: pages for browsers, made of what the services answer. It keeps nothing.

``app.py`` builds it, ``pages/__init__.py`` is the list of its pages. A page reads its address or
its form, calls the services in the name of who looks, and renders a template; without scripts it
works as well. ``visit.py`` is what a page is given.
"""
