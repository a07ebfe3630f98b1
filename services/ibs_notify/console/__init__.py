"""The web console: pages for browsers, made of what the services answer. It keeps nothing.

The way of a request: ``app.py`` builds everything, ``http/`` and ``login/`` stand before each
page, ``pages/__init__.py`` is the list of them. A page is in the file of its area: it reads its
address or its form (``forms.py``), calls the services in the name of who looks (``api.py``), and
renders a template. Without scripts it works as well. ``visit.py`` is what a page is given;
``pages/settings.py`` is the one to read first.

What pages share: ``attempts.py`` for what a page can do without, ``configured.py`` for all targets
and groups, ``pages/panels.py`` for parts that are loaded later, ``changes.py`` for parts that keep
themselves current, ``commands/`` for the same on the command line, ``wording/`` for how things are
said and read, ``charts.py`` for counts by span of time.

What an area decides without a service is in its folder: ``targets/``, ``groups/``, ``events/``,
``message_templates/``, ``coverage/``; what is live in ``live/``.
"""
