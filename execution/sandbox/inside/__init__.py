"""What runs inside the jail: trusted first steps, then the bot's code, in one process.

Bound into the jail as the package `inside`; it may import the standard library, numpy, pandas and bot_sdk,
and nothing else of the platform. It is started as `python -m inside CONTROL_FD JOB_FD UID` and speaks with
the parent over the control socket:

1. it gives up its privileges, loads the libraries and the data, locks itself down, and writes one byte: up;
2. the parent answers with the limits (one JSON object), which are set at once;
3. only now it reads the bot's code, runs it, and writes the answer: one line of JSON (see `reply.py`);
4. it waits to be killed, so that the parent can still read what it has used.

After step 3 began, nothing that this process says is trusted.
"""
