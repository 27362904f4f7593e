"""The hot lane: plain ASGI, because a Django view under ASGI pays a thread hop a request."""
