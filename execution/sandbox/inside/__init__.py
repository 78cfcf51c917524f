"""What runs inside the jail: the zygote, and the runs that are forked from it.

Bound into the jail as the package `inside`; it may import the standard library, the bots' libraries and
bot_sdk, and nothing else of the platform. The zygote (`zygote.py`) is trusted code that holds no secret. It
loads the libraries once, then forks a process for each run that the worker asks for, and never reads a byte
that a bot wrote. A run (`run.py`) locks itself down, says that it is up, and only then reads its job.

From that moment on nothing that the run's process says is trusted: the worker reads it as hostile input.
"""
