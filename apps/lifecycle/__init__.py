"""The order of the loop; hub, demo and convert commands."""
