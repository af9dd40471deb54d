"""An echo server, and a client that says two things to it."""
import asyncio


async def handle_echo(reader, writer):
    while data := await reader.read(100):
        print(f"Received: {data.decode()!r}")
        writer.write(data)
        await writer.drain()
    print("The client has left")
    writer.close()
    await writer.wait_closed()


async def tcp_echo_client(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for message in "Hello World!", "Good bye!":
        print(f"Send: {message!r}")
        writer.write(message.encode())
        await writer.drain()
        data = await reader.readexactly(len(message))
        print(f"Echoed: {data.decode()!r}")
    writer.close()
    await writer.wait_closed()


async def main():
    server = await asyncio.start_server(handle_echo, "127.0.0.1", 0)
    async with server:
        await tcp_echo_client(server.sockets[0].getsockname()[1])
        await asyncio.sleep(0.1)
    print("Closed")


asyncio.run(main())
