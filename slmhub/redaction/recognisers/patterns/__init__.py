"""Values that have a shape: patterns in linear time, and checks that decide."""
