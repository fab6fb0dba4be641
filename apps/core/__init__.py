"""No product noun."""
