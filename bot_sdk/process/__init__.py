"""A bot in a process of its own: the job that it is given, the lines it says, and what reads them.

The platform runs that process behind walls (`execution.sandbox`), a developer without any
(`bot_sdk.own_process`). Both give it the same job, let it do the same `work`, and read what it says as
hostile; so what differs between site and machine is what the walls forbid, and nothing else.
"""
