"""Twenty jobs in a queue, and three workers."""
import asyncio


async def worker(name, queue, done):
    while True:
        seconds = await queue.get()
        await asyncio.sleep(seconds)
        done[name] += 1
        queue.task_done()


async def main():
    queue = asyncio.Queue(maxsize=5)
    done = [0] * 3
    async with asyncio.TaskGroup() as group:
        workers = [group.create_task(worker(i, queue, done)) for i in range(3)]
        for _ in range(20):
            await queue.put(0.02)
        await queue.join()
        for task in workers:
            task.cancel()
    print(f"{sum(done)} jobs done by {len(workers)} workers, {queue.qsize()} left")


asyncio.run(main())
