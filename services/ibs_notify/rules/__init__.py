"""The rule language: which events a subscription, a digest or a silence is about.

``parse`` makes a tree of ``ast`` nodes, ``evaluate`` holds it against events, ``format`` prints
its canonical text, ``warn`` says what is legal and yet probably not meant. docs/rules.md is the
language as users know it.
"""
