"""The functions of the stack, by what wakes them: each handler is one sentence; what it says is in the deeds.

A Blueprint's function is deployed under its own module's name, so a function loads its module here and nothing of the
others: only the HTTP function, which is `app.app`, loads them all. What a trigger needs is imported when it runs.
"""
