"""The web console: pages for browsers, made of what the services answer. It keeps nothing.

The way of a request: ``app.py`` builds everything, ``guard.py`` and ``entrance.py`` stand before
each page, ``pages/__init__.py`` is the list of them. A page is in the file of its area: it reads
its address or its form (``forms.py``), calls the services in the name of who looks (``api.py``),
and renders a template. Without scripts it works as well. ``visit.py`` is what a page is given;
``pages/settings.py`` is the one to read first.

What pages share: ``attempts.py`` for what a page can do without, ``configured.py`` for all targets
and groups, ``pages/panels.py`` for parts that are loaded later, ``changes.py`` for parts that keep
themselves current, ``pages/command_line.py`` and ``commands/`` for the same on the command line,
``words.py`` for what the API calls things, ``local_time.py`` and ``durations.py`` for what people
write.

What belongs to one area begins with its name: ``group_*``, ``template_*``, ``rule_*``,
``targets/``, ``audit_pages.py``; of the inbox ``inbox_view.py`` and ``live/``, of an event
``story.py``.
"""
