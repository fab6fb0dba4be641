"""What the hub does in seconds, calls and bytes, beside its peers: `make bench` or `python -m benchmarks NAME…`."""
