import os
import signal
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{os.environ['HUDDLE_REVISION']}\n".encode())

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    # So that server_close waits for the requests that are being answered.
    daemon_threads = False


server = Server(("", 0), Handler, bind_and_activate=False)
server.socket.close()
# The first of the sockets that Huddle hands over.
server.socket = socket.socket(fileno=3)

# In a thread of its own, as it waits for serve_forever to end.
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever(poll_interval=0.1)
server.server_close()
