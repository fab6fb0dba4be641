"""The project itself: settings, addresses, and the one ASGI application."""
