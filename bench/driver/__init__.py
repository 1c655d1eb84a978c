"""The benchmark's driver: starts servers, runs the load generator against them, and writes what came out.

Python's standard library alone, so that it runs wherever the server does.
"""
