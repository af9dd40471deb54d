"""Commands whose output is read while they run, and their ends."""
import asyncio


async def run(command):
    process = await asyncio.create_subprocess_shell(command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    stdout, stderr = await process.communicate()
    print(f"[{command!r} exited with {process.returncode}]")
    if stdout:
        print(f"[stdout]\n{stdout.decode()}", end="")
    if stderr:
        print(f"[stderr]\n{stderr.decode()}", end="")


async def count():
    process = await asyncio.create_subprocess_exec("sort", "-n", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    process.stdin.write(b"10\n9\n8\n")
    process.stdin.close()
    while line := await process.stdout.readline():
        print("sorted:", line.decode().rstrip())
    print("sort exited with", await process.wait())


async def main():
    await run("ls /zzz || exit 3")
    await run("echo one; echo two >&2")
    await run("kill -TERM $$")
    await count()


asyncio.run(main())
