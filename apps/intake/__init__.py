"""Streams: addresses that take traces, and calls one by one."""
