"""A call that blocks, beside a task that doesn't."""
import asyncio
import time


def blocking_io():
    print("start blocking_io")
    time.sleep(0.2)
    print("blocking_io complete")
    return 42


async def ticker():
    for tick in range(3):
        await asyncio.sleep(0.05)
        print("tick", tick)


async def main():
    print("started main")
    result, _ = await asyncio.gather(asyncio.to_thread(blocking_io), ticker())
    print("result:", result)
    print("finished main")


asyncio.run(main())
