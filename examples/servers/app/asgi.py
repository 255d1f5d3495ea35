import asyncio
import os

import uvicorn


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": f"{os.environ['HUDDLE_REVISION']}\n".encode()})


class Server(uvicorn.Server):
    async def shutdown(self, sockets=None):
        """uvicorn closes what has been accepted and not yet asked: here it has two seconds to ask."""
        for server in self.servers:
            server.close()
        # Whoever keeps a connection is asked to open another one, which the next release will take.
        for connection in self.server_state.connections:
            connection.default_headers = [*connection.default_headers, (b"connection", b"close")]
        await asyncio.sleep(2)
        await super().shutdown(sockets)


# The first of the sockets that Huddle hands over.
Server(uvicorn.Config(app, fd=3, lifespan="off", access_log=False)).run()
