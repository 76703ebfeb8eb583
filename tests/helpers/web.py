"""A web server for tests, in this process."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def serving(answers):
    """Serve bytes, or what a function of the request does, by path; yields `http://127.0.0.1:PORT`, and notes requests.

    The second value is the list of requests: path, user agent and authorization.
    """
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append((self.path, self.headers["User-Agent"], self.headers["Authorization"]))
            answer = answers.get(self.path)
            if callable(answer):
                answer(self)
            elif answer is None:
                self.send_error(404)
            else:
                respond(self, answer)

        def log_message(self, *args):
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *args):  # whoever asked left
            pass

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", seen
        finally:
            server.shutdown()


def respond(request, content, length=None, **headers):
    """Answer with these bytes; length: what to claim instead of their number, None for nothing where it is 0."""
    request.send_response(200)
    for name, value in headers.items():
        request.send_header(name.replace("_", "-"), value)
    if length != 0:
        request.send_header("Content-Length", str(length or len(content)))
    request.end_headers()
    request.wfile.write(content)


def redirect(to):
    """An answer that leads elsewhere."""

    def answer(request):
        request.send_response(302)
        request.send_header("Location", to)
        request.end_headers()

    return answer
