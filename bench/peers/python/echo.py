"""An echo server with asyncio's streams; with the argument "uvloop" on uvloop's loop."""
import asyncio
import sys


async def handle_client(reader, writer):
    while data := await reader.read(4096):
        writer.write(data)
        await writer.drain()
    writer.close()


async def main():
    server = await asyncio.start_server(handle_client, "127.0.0.1", 0)
    print("port", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if "uvloop" in sys.argv[1:]:
    import uvloop
    uvloop.install()
asyncio.run(main())
