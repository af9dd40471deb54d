"""Concurrent downloads: python3 downloads.py PORT PATH..."""
import asyncio
import sys


async def download(port, path):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head.split()[1])
    size = 0
    while data := await reader.read(65536):
        size += len(data)
    writer.close()
    await writer.wait_closed()
    return status, size


async def main(port, *paths):
    results = await asyncio.gather(*(download(port, path) for path in paths))
    for path, (status, size) in zip(paths, results):
        print(f"{path}: {status}, {size} bytes")


asyncio.run(main(*sys.argv[1:]))
