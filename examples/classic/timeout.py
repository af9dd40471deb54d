"""Time limits: for a block, nested, and for one task."""
import asyncio


async def long_running():
    try:
        await asyncio.sleep(3600)
    finally:
        print("cleaned up")


async def main():
    try:
        async with asyncio.timeout(0.1):
            await long_running()
    except TimeoutError:
        print("The long operation timed out, but we've handled it.")

    try:
        async with asyncio.timeout(60) as outer:
            async with asyncio.timeout(0.1) as inner:
                await long_running()
    except TimeoutError:
        print(f"outer expired: {outer.expired()}, inner expired: {inner.expired()}")

    try:
        await asyncio.wait_for(long_running(), 0.1)
    except TimeoutError:
        print("timeout!")
    print("This statement will run regardless.")


asyncio.run(main())
