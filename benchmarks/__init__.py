"""What the hub needs in seconds and bytes, beside its peers: `python -m benchmarks [NAME…]`."""
