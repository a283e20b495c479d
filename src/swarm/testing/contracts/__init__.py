"""One suite per port: the promises of its docstrings as tests that every adapter has to pass.

Inherit the suite in a test module and provide the fixture that it names; the tests come along.
"""
