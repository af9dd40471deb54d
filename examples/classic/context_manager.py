"""What is opened is closed, however the block is left; and a lock is held for a block."""
import asyncio
from contextlib import asynccontextmanager

lock = asyncio.Lock()


@asynccontextmanager
async def session(name):
    await asyncio.sleep(0.01)
    print(f"{name}: opened")
    try:
        yield name
    finally:
        await asyncio.sleep(0.01)
        print(f"{name}: closed")


async def user(name, fails):
    async with lock:
        async with session(name) as opened:
            print(f"{opened}: used")
            if fails:
                raise ConnectionResetError
            print(f"{opened}: finished")


async def main():
    results = await asyncio.gather(user("first", False), user("second", True), user("third", False), return_exceptions=True)
    for result in results:
        print("failed" if result else "ok")


asyncio.run(main())
