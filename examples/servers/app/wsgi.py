import os


def application(environ, start_response):
    start_response("200 OK", [("content-type", "text/plain")])
    return [f"{os.environ['HUDDLE_REVISION']}\n".encode()]
