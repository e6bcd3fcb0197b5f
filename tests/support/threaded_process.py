"""`python -m tests.support.threaded_process MIB`: starts a thread before it is confined."""

from threading import Event, Thread

from shared.sandbox.server import serve

if __name__ == "__main__":
    Thread(target=Event().wait, daemon=True).start()
    serve(lambda request, _data: (request, b""))
