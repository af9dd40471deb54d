"""Three greetings at once."""
import asyncio


async def hello_world(name):
    print(f"Hello, {name}")
    await asyncio.sleep(0.1)
    print(f"Goodbye, {name}")
    return len(name)


async def main():
    lengths = await asyncio.gather(hello_world("Ann"), hello_world("Bob"), hello_world("Charlotte"))
    print("lengths:", *lengths)


asyncio.run(main())
